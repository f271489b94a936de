# Unit tests that run on the host, with sanitizers. To be included by a makefile that sets B, its build directory, or
# used alone from the top of the tree: make -f tests/host/host.mk B=build host-tests
#
# To add a test: write tests/host/test_NAME.c, add NAME to HOST_TESTS, and list the kernel sources that it links in
# HOST_SOURCES_NAME. tap.c (test cases, random numbers, panic, klog) is always linked. Kernel sources see HOST_TEST
# and DEBUG defined. HOST_INCLUDES_NAME: other sources that the test includes. HOST_NEEDS_NAME: files in $(B)/host
# that the test opens when it runs.

B ?= build

HOST_CC ?= gcc
HOST_PE_CC ?= x86_64-w64-mingw32-gcc
HOST_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra $(if $(CI),-Werror) -fno-omit-frame-pointer -fno-strict-aliasing \
	       -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CPPFLAGS := -D_GNU_SOURCE -DHOST_TEST -DDEBUG -I kernel -I . -I tests/host
HOST_HEADERS := $(wildcard boot/*.h kernel/*/*.h tests/host/*.h)

HOST_TESTS := bitmap commit fat fat_damage fat_write pattern pe pe_fuzz pe_relocate printf string symbols tree

HOST_SOURCES_bitmap  := kernel/lib/bitmap.c
HOST_SOURCES_commit  := kernel/mm/commit.c
HOST_SOURCES_fat     := $(addprefix kernel/io/,fat.c fat_cache.c fat_commit.c fat_dir.c fat_dir_change.c fat_name.c fat_path.c \
			fat_table.c file.c file_batch.c file_change.c file_idle.c file_image.c file_pages.c file_read.c file_write.c) \
			kernel/lib/printf.c kernel/lib/string.c tests/host/fat_world.c
HOST_NEEDS_fat       := fat_512.img fat_1024.img
HOST_SOURCES_fat_damage := $(HOST_SOURCES_fat)
HOST_NEEDS_fat_damage   := $(HOST_NEEDS_fat)
HOST_SOURCES_fat_write  := $(HOST_SOURCES_fat) tests/host/fat_check.c tests/host/fat_model.c
HOST_NEEDS_fat_write    := fat_small.img
HOST_SOURCES_pattern := $(addprefix kernel/io/,name_pattern.c fat_path.c fat_name.c) kernel/lib/printf.c kernel/lib/string.c
HOST_SOURCES_pe      := kernel/image/pe.c kernel/lib/string.c tests/host/pe_world.c
HOST_NEEDS_pe        := pe_sample.exe pe_sample.dll
HOST_SOURCES_pe_fuzz := $(HOST_SOURCES_pe)
HOST_NEEDS_pe_fuzz   := $(HOST_NEEDS_pe)
HOST_SOURCES_pe_relocate := kernel/image/pe.c kernel/lib/string.c
HOST_NEEDS_pe_relocate   := $(HOST_NEEDS_pe)
HOST_SOURCES_printf  := kernel/lib/printf.c kernel/lib/parse_size.c kernel/lib/string.c
HOST_INCLUDES_string := kernel/lib/string.c
HOST_SOURCES_symbols := kernel/lib/symbols.c
HOST_SOURCES_tree    := kernel/lib/tree.c

.PHONY: host-tests
host-tests: $(HOST_TESTS:%=$(B)/host/test_%)

define host_test_rule
$(B)/host/test_$(1): tests/host/test_$(1).c tests/host/tap.c $(HOST_SOURCES_$(1)) $(HOST_INCLUDES_$(1)) \
		     $(HOST_HEADERS) tests/host/host.mk | $(HOST_NEEDS_$(1):%=$(B)/host/%)
	@mkdir -p $$(@D)
	$(HOST_CC) $(HOST_CFLAGS) $(HOST_CPPFLAGS) -o $$@ tests/host/test_$(1).c tests/host/tap.c $(HOST_SOURCES_$(1))
endef
$(foreach test,$(HOST_TESTS),$(eval $(call host_test_rule,$(test))))

# Real images to parse: with debug information, whose sections have long names, and with everything a linker makes.
$(B)/host/pe_sample.exe: tests/host/pe_sample.c tests/host/host.mk
	@mkdir -p $(@D)
	$(HOST_PE_CC) -g -O1 -Wall -Wextra -o $@ $<

$(B)/host/pe_sample.dll: tests/host/pe_sample.c tests/host/host.mk
	@mkdir -p $(@D)
	$(HOST_PE_CC) -s -O1 -Wall -Wextra -DSAMPLE_DLL -shared -o $@ $<

# FAT32 volumes as other systems' tools make them: sectors of 512 and of 1024 bytes.
$(B)/host/fat_512.img: tests/host/fat_image.py
	@mkdir -p $(@D)
	python3 $< $@ 512 2

$(B)/host/fat_1024.img: tests/host/fat_image.py
	@mkdir -p $(@D)
	python3 $< $@ 1024 2

# A small one, empty, to be written. mkfs.fat writes its size where only FAT12 and FAT16 have it: in both boot sectors it
# goes to where FAT32 has it.
$(B)/host/fat_small.img: tests/host/host.mk
	@mkdir -p $(@D); rm -f $@
	@PATH="$$PATH:/sbin:/usr/sbin" mkfs.fat -F 32 -S 512 -s 1 -n SMALL -C $@ 1024 >/dev/null 2>&1
	@for at in 0 3072; do \
		printf '\0\0' | dd of=$@ bs=1 seek=$$((at + 19)) conv=notrunc status=none; \
		printf '\0\010\0\0' | dd of=$@ bs=1 seek=$$((at + 32)) conv=notrunc status=none; \
	done

# Fuzzers, which invent inputs: fuzz_NAME.c with clang's libFuzzer. What tests/host/corpus/NAME holds, they begin with; what they
# find on the way is kept in $(B)/host/corpus/NAME, and an input that fails in $(B)/host. FUZZ_SECONDS for all of them together.
FUZZERS := fat pe
FUZZ_CC ?= clang
FUZZ_SECONDS ?= 600
FUZZ_SOURCES_fat := $(HOST_SOURCES_fat)
FUZZ_NEEDS_fat   := fat_small.img
FUZZ_SOURCES_pe  := kernel/image/bind.c kernel/image/export.c kernel/image/pe.c kernel/lib/string.c tests/host/pe_world.c

.PHONY: fuzzers fuzz-run
fuzzers: $(FUZZERS:%=$(B)/host/fuzz_%)

define fuzzer_rule
$(B)/host/fuzz_$(1): tests/host/fuzz_$(1).c tests/host/tap.c $(FUZZ_SOURCES_$(1)) $(HOST_HEADERS) tests/host/host.mk \
		     | $(FUZZ_NEEDS_$(1):%=$(B)/host/%)
	@mkdir -p $$(@D)
	$(FUZZ_CC) $(HOST_CFLAGS) $(HOST_CPPFLAGS) -fsanitize=fuzzer -o $$@ tests/host/fuzz_$(1).c tests/host/tap.c $(FUZZ_SOURCES_$(1))
endef
$(foreach fuzzer,$(FUZZERS),$(eval $(call fuzzer_rule,$(fuzzer))))

fuzz-run: fuzzers
	@for name in $(FUZZERS); do \
		mkdir -p $(B)/host/corpus/$$name; \
		$(B)/host/fuzz_$$name -max_total_time=$$(($(FUZZ_SECONDS) / $(words $(FUZZERS)))) -timeout=20 -max_len=16384 \
			-print_final_stats=1 -close_fd_mask=1 -artifact_prefix=$(B)/host/fuzz_$$name- $(B)/host/corpus/$$name tests/host/corpus/$$name \
			|| exit 1; \
	done
