# Backstore's build, for GNU make. "make help" says what there is. Everything is built in build/$(BUILD)/.

ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BUILD ?= release
RAM ?= 128M
CPUS ?= 1
SWAP ?= 64M
ACCEL ?= tcg
CPU ?= qemu64
VGA ?= none
OPTIONS ?=
RUN ?=
FILES ?=
DISK ?=
DISK2 ?=
TESTS ?=
JOBS ?=
QEMU ?= qemu-system-x86_64
FIRMWARE ?=
SEED ?= 0
SECONDS ?= 600
MODE ?= instructions
ROUNDS ?= 5
SYSTEMS ?= all
ROW ?= touch
DOCS ?=
PYTHON := /usr/bin/python3

ifeq ($(filter $(BUILD),release debug),)
$(error BUILD=$(BUILD): "release" and "debug" are allowed)
endif

B := build/$(BUILD)
VOLUME := $(B)/volume
IMAGE := $(B)/system.img

# The command line of boot/machine.py, for run and gdb.
quote = '$(subst ','\'',$(1))'
MACHINE = $(PYTHON) boot/machine.py --volume $(call quote,$(RUN_IMAGE)) --swap-image build/swap.img --qemu $(call quote,$(QEMU)) \
	  --ram $(call quote,$(RAM)) --cpus $(call quote,$(CPUS)) --swap $(call quote,$(SWAP)) \
	  --accel $(call quote,$(ACCEL)) --cpu $(call quote,$(CPU)) --vga $(call quote,$(VGA)) \
	  --options $(call quote,$(OPTIONS)) $(if $(FIRMWARE),--firmware $(call quote,$(FIRMWARE))) \
	  $(if $(RUN),--run $(call quote,$(RUN))) $(if $(DISK),--keep) $(if $(DISK2),--disk2 $(call quote,$(DISK2)))
# What is booted from, and the image that a new DISK begins as.
NEW_IMAGE := $(if $(strip $(FILES)),$(B)/files.img,$(IMAGE))
RUN_IMAGE := $(or $(DISK),$(NEW_IMAGE))

define HELP
Backstore: make TARGET [VARIABLE=value ...]

  run     boots in QEMU, on this terminal       gdb    the same, stopped, under the debugger
  test    builds everything and tests it        image  builds the system volume: $(IMAGE)
  stress  random memory calls, for a long time  clean  removes build/
  fuzz    invents images and FAT volumes         fsck   checks the volume of DISK, or the image
  bench   what memory operations cost, beside Linux; profile: where the instructions of one go
  growth  how that grows with memory, views, processes, processors
  bench-limits            makes the limits anew that the tests compare instructions with
  degrade how the system slows down when memory is short: the table in docs/paging.md
  help    this text

  BUILD=release|debug     debug: assertions, invariant checks                        [$(BUILD)]
  RAM=32M..16G            memory                                                     [$(RAM)]
  CPUS=1..8               processors                                                 [$(CPUS)]
  SWAP=none|LIST          paging files, separated by commas; each with @0 to @32767
                          behind it if wanted: the higher is used first              [$(SWAP)]
       SIZE                 a new disk: 64M, 4K
       ramdisk:SIZE         memory, as a disk
       PATH                 an existing file or block device, which is overwritten
       nbd://HOST:PORT[/EXPORT], nbd+unix:///EXPORT?socket=PATH
                            a network block device, which is overwritten
  OPTIONS="name=value"    boot options; boot/backstore.cfg lists them                [$(OPTIONS)]
  RUN="PROGRAM ARGUMENT"  run one program and end with its exit code                 [$(RUN)]
  FILES="PATH ..."        put these files and directories on the volume              [$(FILES)]
  DISK=PATH               boot from this copy of the volume and keep its changes; it
                          is made if it does not exist                               [$(DISK)]
  DISK2=PATH              a second FAT32 volume, D:, whose changes are kept           [$(DISK2)]
  CPU=MODEL, ACCEL=tcg|kvm, VGA=none|std, QEMU=PROGRAM, FIRMWARE=PATH
                          the machine, in QEMU's terms                               [$(CPU), $(ACCEL), $(VGA)]
  SECONDS=N, SEED=N       for stress and fuzz: how long; 0: a random seed, which is printed     [$(SECONDS)] [$(SEED)]
  MODE=instructions|time, ROUNDS=N
                          for bench: what is counted, and how often in time          [$(MODE), $(ROUNDS)]
  SYSTEMS=all|LIST        for bench, growth: some of Backstore,Linux,lean,defaults   [$(SYSTEMS)]
  DOCS=1                  for bench, growth: the tables in docs/performance.md are made anew
  ROW=NAME                for profile: one of those that RUN="bench -h" names        [$(ROW)]
  TESTS="PYTEST ARGUMENT" for test: which tests                                      [$(TESTS)]
  JOBS=N                  machines at once: for test one more than processors, as some wait for
                          disks; for degrade as many as processors                   [$(JOBS)]

  make run                                   a shell; Ctrl-A x leaves QEMU
  make run RUN="memstat" RAM=64M SWAP=none   one program, no paging file
  make run SWAP=ramdisk:16M@9,64M@1          a RAM disk first, then a disk
  make run SWAP=nbd://localhost:10809        what "nbdkit memory 64M" serves
  echo "ls \bin" | make run                  the shell reads its commands from a pipe
  make run BUILD=debug CPUS=4 FILES="my.exe data/"
  make run DISK=my.img                       what is changed is there at the next run
  make test TESTS="-k swap"
  make stress SECONDS=60 SEED=7              replays what a failure's line says
endef

.PHONY: help run test stress fuzz bench bench-build bench-limits growth degrade profile image disk fsck gdb clean packages-build packages-test packages-gdb packages-bench volume fresh
help:
	$(info $(HELP))
	@:

# What has to be installed comes first; a second make then looks for compilers and libraries again. Neither may read the
# input, which is the guest's.
packages-build packages-test packages-gdb packages-bench: packages-%:
	@sh boot/packages.sh $* </dev/null

image: packages-build
	@$(MAKE) $(NEW_IMAGE)

run: packages-build
	@$(MAKE) disk </dev/null
	@$(MACHINE)

# DISK, if it does not exist yet, is a copy of the image; from then on it is what its machines made of it.
disk: $(if $(and $(DISK),$(wildcard $(DISK))),,$(NEW_IMAGE))
ifneq ($(DISK),)
	@[ -e $(call quote,$(DISK)) ] || cp --sparse=always $(NEW_IMAGE) $(call quote,$(DISK))
endif

fsck: packages-build
	@[ -e $(call quote,$(RUN_IMAGE)) ] || { echo "$(RUN_IMAGE) does not exist: \"make image\" builds it" >&2; exit 1; }
	@PATH="$$PATH:/usr/sbin:/sbin" fsck.fat -n $(call quote,$(RUN_IMAGE))

gdb: packages-gdb
	@$(MAKE) disk </dev/null
	@$(MACHINE) --gdb $(B)/kernel.elf

test: packages-test
	@$(MAKE) BUILD=release build/release/system.img host-tests
	@$(MAKE) BUILD=debug build/debug/system.img
	@BACKSTORE_RELEASE=$(CURDIR)/build/release BACKSTORE_DEBUG=$(CURDIR)/build/debug B=build/release \
	 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(CURDIR)/boot $(PYTHON) -m pytest -o cache_dir=build/pytest \
	 -n $(or $(JOBS),$$(($$(nproc) + 2))) --dist loadgroup tests $(TESTS)

# Each half of the time with a check of the memory manager when the test asks for it, and after each process.
stress: packages-build
	@$(MAKE) BUILD=debug build/debug/system.img </dev/null
	@for check in call exit; do \
		$(MAKE) run BUILD=debug CPUS=4 RAM=64M OPTIONS="check=$$check $(OPTIONS)" </dev/null \
			RUN="memory_random $(SEED) $$(($(SECONDS) / 2)) 4 3" || exit 1; \
	done

# SECONDS for both fuzzers together: of the parser of images and the FAT code on this machine. What it has learned stays.
fuzz: packages-test
	@$(MAKE) -f tests/host/host.mk B=build/fuzz FUZZ_SECONDS=$(call quote,$(SECONDS)) fuzz-run </dev/null

# The same benchmark for Linux, without libraries that an initial RAM disk would need.
build/bench-linux: tests/bench/os_linux.c $(wildcard userland/programs/bench/*.[ch])
	@mkdir -p $(@D); echo "  CC    $@"
	@$(CC) $(COMMON_FLAGS) -static -I userland/programs/bench -o $@ $(filter-out %/os_windows.c %/awe.c,$(filter %.c,$^))

# What the processor alone needs: a program without a system. Its variables are on other pages than its code.
build/bench-floor: tests/bench/floor.c
	@mkdir -p $(@D); echo "  CC    $@"
	@$(CC) $(COMMON_FLAGS) -ffreestanding -fno-pic -no-pie -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
		-fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static -Wl,-Ttext=0x100000 \
		-Wl,-e,main_kernel -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -o $@ $<

# A release build is measured, always.
BENCH = $(PYTHON) -B tests/bench/$(1).py --image build/release/system.img --program build/bench-linux \
	--rounds $(call quote,$(ROUNDS)) --systems $(call quote,$(SYSTEMS)) $(if $(DOCS),--document docs/performance.md)

bench-build: packages-bench
	@$(MAKE) BUILD=release build/release/system.img build/bench-linux build/bench-floor </dev/null

# A lean Linux kernel is built the first time. Figures in build/bench.csv, and of growth in build/growth.csv.
bench: bench-build
	@$(call BENCH,bench) --mode $(call quote,$(MODE))

growth: bench-build
	@$(call BENCH,growth)

bench-limits: packages-build
	@$(MAKE) BUILD=release build/release/system.img </dev/null
	@$(PYTHON) -B tests/bench/limits.py --image build/release/system.img

# About ten minutes; figures in build/degrade.csv.
degrade: packages-test
	@$(MAKE) BUILD=release build/release/system.img </dev/null
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/degrade.py --image build/release/system.img --jobs $(or $(JOBS),$$(nproc))

# Where a row's instructions go.
profile: packages-build
	@$(MAKE) BUILD=release build/release/system.img </dev/null
	@$(PYTHON) -B tests/bench/profile.py --image build/release/system.img --kernel build/release/kernel.elf \
		--row $(call quote,$(ROW))

clean:
	rm -rf build

# Compilers and flags. CI stops at warnings; people who have a newer compiler than this was written with need not.
CC := gcc
MINGW := x86_64-w64-mingw32-
WARNINGS := -Wall -Wextra $(if $(CI),-Werror)
DEBUG_FLAGS := $(if $(filter debug,$(BUILD)),-DDEBUG)
DEPENDENCIES = -MMD -MP -MF $(@:.o=.d)
COMMON_FLAGS := -std=gnu11 -O2 -g $(WARNINGS) $(DEBUG_FLAGS)

compile = @mkdir -p $(@D); echo "  CC    $<"; $(1) $(DEPENDENCIES) -c $< -o $@

# A file that changes when, and only when, its text does: lists of inputs, so that removing a source is noticed too.
list_update = @mkdir -p $(@D); echo '$(strip $(1))' | cmp -s - $@ || echo '$(strip $(1))' > $@

# --- the kernel ---

KERNEL_SOURCES := $(sort $(wildcard kernel/*.c kernel/*.S kernel/*/*.c kernel/*/*.S))
KERNEL_OBJECTS := $(KERNEL_SOURCES:%=$(B)/%.o)
KERNEL_FLAGS := $(COMMON_FLAGS) -I kernel -I . -ffreestanding -fno-builtin-printf -mcmodel=kernel -mno-red-zone \
		-mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector -fno-omit-frame-pointer -fno-strict-aliasing \
		-fcf-protection=none -fno-asynchronous-unwind-tables -g3
KERNEL_LINK = @echo "  LD    $@"; ld -T kernel/kernel.ld -z max-page-size=4096 -z noexecstack --build-id=none

$(B)/kernel/%.c.o: kernel/%.c Makefile
	$(call compile,$(CC) $(KERNEL_FLAGS))

$(B)/kernel/%.S.o: kernel/%.S Makefile
	$(call compile,$(CC) $(KERNEL_FLAGS))

$(B)/kernel.list: fresh
	$(call list_update,$(KERNEL_OBJECTS))

# The kernel has a table of its own functions, for stack traces. It is linked with an empty one, the table is made from
# the result, and linked in place of the empty one behind all text: if an address has changed by that, the build fails.
$(B)/symbols-empty.S:
	@mkdir -p $(@D); : | sh boot/symbols.sh > $@

$(B)/symbols.S: $(B)/kernel-empty.elf boot/symbols.sh
	@nm -n $< | sh boot/symbols.sh > $@

$(B)/symbols%.o: $(B)/symbols%.S
	@$(CC) -c $< -o $@

$(B)/symbols.o: $(B)/symbols.S
	@$(CC) -c $< -o $@

$(B)/kernel-empty.elf: $(KERNEL_OBJECTS) $(B)/symbols-empty.o kernel/kernel.ld $(B)/kernel.list
	$(KERNEL_LINK) $(KERNEL_OBJECTS) $(B)/symbols-empty.o -o $@

$(B)/kernel.elf: $(KERNEL_OBJECTS) $(B)/symbols.o kernel/kernel.ld
	$(KERNEL_LINK) $(KERNEL_OBJECTS) $(B)/symbols.o -o $@
	@nm -n $@ | sh boot/symbols.sh | cmp - $(B)/symbols.S

# --- the loader ---

# Where Debian and others have GNU-EFI's start-up code, linker script and libraries.
EFI_LIBRARIES := /usr/lib /usr/lib64 /usr/lib/gnuefi /usr/lib64/gnuefi /usr/lib/x86_64-linux-gnu/gnuefi
EFI_CRT0 := $(firstword $(wildcard $(EFI_LIBRARIES:%=%/crt0-efi-x86_64.o)))
EFI_SCRIPT := $(firstword $(wildcard $(EFI_LIBRARIES:%=%/elf_x86_64_efi.lds)))
EFI_FLAGS := $(COMMON_FLAGS) -DGNU_EFI_USE_MS_ABI -I . -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -ffreestanding \
	     -fpic -fshort-wchar -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none
EFI_OBJECTS := $(patsubst %,$(B)/%.o,$(sort $(wildcard boot/*.c boot/*.S)))
EFI_SECTIONS := .text .sdata .data .rodata .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc

$(B)/boot/%.c.o: boot/%.c Makefile
	$(call compile,$(CC) $(EFI_FLAGS))

$(B)/boot/%.S.o: boot/%.S Makefile
	$(call compile,$(CC) $(EFI_FLAGS))

$(B)/boot/loader.so: $(EFI_OBJECTS)
	@echo "  LD    $@"
	@ld -shared -Bsymbolic -nostdlib -z nocombreloc -z noexecstack --no-undefined -T $(EFI_SCRIPT) $(EFI_CRT0) $^ -o $@ \
	    $(EFI_LIBRARIES:%=-L%) -lefi -lgnuefi

# --- user space ---

USER_FLAGS := $(COMMON_FLAGS) -I userland/include -I kernel
PROGRAM_FLAGS := $(USER_FLAGS) -I userland/programs -I tests/guest
DLL_FLAGS := $(USER_FLAGS) -ffreestanding -fno-builtin -mno-stack-arg-probe
DLL_LINK := -nostdlib -shared -Wl,--dynamicbase,--high-entropy-va,--nxcompat

DLLS := ntdll kernel32 msvcrt
ENTRY_ntdll := 0
ENTRY_kernel32 := DllMainCRTStartup
ENTRY_msvcrt := DllMainCRTStartup
USES_kernel32 := ntdll
USES_msvcrt := kernel32 ntdll

$(B)/userland/%.c.o: userland/%.c Makefile
	$(call compile,$(MINGW)gcc $(if $(filter $(DLLS:%=userland/%/),$(dir $<)),$(DLL_FLAGS),$(PROGRAM_FLAGS)))

$(B)/userland/%.S.o: userland/%.S Makefile
	$(call compile,$(MINGW)gcc $(DLL_FLAGS))

$(B)/tests/guest/%.c.o: tests/guest/%.c Makefile
	$(call compile,$(MINGW)gcc $(PROGRAM_FLAGS))

# $(1): the DLL's name. The import library comes with the DLL: one rule makes both.
define dll_rule
$(1)_OBJECTS := $$(patsubst %,$(B)/%.o,$$(sort $$(wildcard userland/$(1)/*.c userland/$(1)/*.S)))
$(1)_DEF := $$(wildcard userland/$(1)/$(1).def)
$(B)/dll/$(1).dll $(B)/dll/lib$(1).a &: $$($(1)_OBJECTS) $$($(1)_DEF) $(USES_$(1):%=$(B)/dll/lib%.a) $(B)/user.list
	@mkdir -p $(B)/dll; echo "  LD    $(B)/dll/$(1).dll"
	@$(MINGW)gcc $(DLL_LINK) -Wl,--entry=$(ENTRY_$(1)) -Wl,--out-implib,$(B)/dll/lib$(1).a -o $(B)/dll/$(1).dll \
		$$($(1)_OBJECTS) $$($(1)_DEF) $(USES_$(1):%=$(B)/dll/lib%.a) -lgcc
endef
$(foreach dll,$(DLLS),$(eval $(call dll_rule,$(dll))))

# $(1): the program, $(2): its directory on the volume, $(3): its sources. Linked as mingw-w64 links a console program;
# our ntdll's import library is for those that make native calls.
define program_rule
$(B)/$(2)/$(1).exe: $(3:%=$(B)/%.o) $(B)/dll/libntdll.a $(B)/user.list
	@mkdir -p $$(@D); echo "  LD    $$@"
	@$(MINGW)gcc -o $$@ $(3:%=$(B)/%.o) $(B)/dll/libntdll.a
endef
PROGRAM_FILES := $(sort $(wildcard userland/programs/*.c))
PROGRAM_DIRECTORIES := $(patsubst %/,%,$(sort $(dir $(wildcard userland/programs/*/*.c))))
TEST_FILES := $(sort $(wildcard tests/guest/*.c))
TEST_DIRECTORIES := $(filter-out tests/guest/dll,$(patsubst %/,%,$(sort $(dir $(wildcard tests/guest/*/*.c)))))
TEST_DLLS := $(sort $(wildcard tests/guest/dll/*.c))
PROGRAMS := $(PROGRAM_FILES:userland/programs/%.c=bin/%.exe) $(PROGRAM_DIRECTORIES:userland/programs/%=bin/%.exe) \
	    $(TEST_FILES:tests/guest/%.c=tests/%.exe) $(TEST_DIRECTORIES:tests/guest/%=tests/%.exe) $(TEST_DLLS:tests/guest/dll/%.c=tests/%.dll)
$(foreach file,$(PROGRAM_FILES),$(eval $(call program_rule,$(basename $(notdir $(file))),bin,$(file))))
$(foreach directory,$(PROGRAM_DIRECTORIES),\
	$(eval $(call program_rule,$(notdir $(directory)),bin,$(sort $(wildcard $(directory)/*.c)))))
$(foreach file,$(TEST_FILES),$(eval $(call program_rule,$(basename $(notdir $(file))),tests,$(file))))
$(foreach directory,$(TEST_DIRECTORIES),\
	$(eval $(call program_rule,$(notdir $(directory)),tests,$(sort $(wildcard $(directory)/*.c)))))

$(TEST_DLLS:tests/guest/dll/%.c=$(B)/tests/%.dll): $(B)/tests/%.dll: $(B)/tests/guest/dll/%.c.o
	@mkdir -p $(@D); echo "  LD    $@"; $(MINGW)gcc -shared -o $@ $^

$(B)/tests/guest/dll/%.rc.o: tests/guest/dll/%.rc Makefile
	@mkdir -p $(@D); echo "  RC    $<"; $(MINGW)windres -o $@ $<

# A DLL's resources, if it has some.
$(foreach file,$(wildcard tests/guest/dll/*.rc),$(eval $(file:tests/guest/dll/%.rc=$(B)/tests/%.dll): $(B)/$(file).o))

$(B)/user.list: fresh
	$(call list_update,$(foreach dll,$(DLLS),$($(dll)_OBJECTS)) $(wildcard userland/programs/*/*.c tests/guest/*/*.c))

# --- the system volume: a directory that mirrors it, then the image ---

VOLUME_FILES := $(addprefix $(VOLUME)/,EFI/BOOT/BOOTX64.EFI kernel.elf backstore.cfg $(DLLS:%=system/%.dll) $(PROGRAMS))

# Debug information stays in the build directory: pages of an image are read by a slow machine.
stage = @mkdir -p $(@D); $(1)

$(B)/volume.list: fresh
	$(call list_update,$(VOLUME_FILES))

$(VOLUME)/EFI/BOOT/BOOTX64.EFI: $(B)/boot/loader.so $(B)/volume.list
	$(call stage,objcopy $(EFI_SECTIONS:%=-j %) --target efi-app-x86_64 --subsystem=10 $< $@)

$(VOLUME)/kernel.elf: $(B)/kernel.elf $(B)/volume.list
	$(call stage,strip -s $< -o $@)

$(VOLUME)/backstore.cfg: boot/backstore.cfg $(B)/volume.list
	$(call stage,cp $< $@)

$(VOLUME)/system/%: $(B)/dll/% $(B)/volume.list
	$(call stage,$(MINGW)strip -s $< -o $@)

$(VOLUME)/bin/%: $(B)/bin/% $(B)/volume.list
	$(call stage,$(MINGW)strip -s $< -o $@)

$(VOLUME)/tests/%: $(B)/tests/% $(B)/volume.list
	$(call stage,$(MINGW)strip -s $< -o $@)

$(IMAGE): $(VOLUME_FILES) boot/volume.sh
	@echo "  IMAGE $@"; sh boot/volume.sh $@ $(VOLUME) $(VOLUME_FILES)

# With FILES: what they hold is not watched, so this is made each time.
$(B)/files.img: $(IMAGE) fresh
	@echo "  IMAGE $@"; sh boot/volume.sh $@ $(VOLUME) $(VOLUME_FILES) -- $(FILES)

-include tests/host/host.mk
-include $(patsubst %.o,%.d,$(KERNEL_OBJECTS) $(EFI_OBJECTS) $(foreach dll,$(DLLS),$($(dll)_OBJECTS)))
-include $(patsubst %,$(B)/%.d,$(PROGRAM_FILES) $(TEST_FILES) $(TEST_DLLS) $(wildcard userland/programs/*/*.c tests/guest/*/*.c))
