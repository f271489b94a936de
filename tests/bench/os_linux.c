/* The operations as Linux has them. The program is the first and only process: it mounts, loads drivers, and ends the machine. */
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
}

static void fail(const char *what)
{
	printf("bench: %s failed: %s\n", what, strerror(errno));
	fflush(stdout);
	if (getpid() == 1)
		power_off();
	exit(1);
}

/* The drivers of the disk, in the order in which they need each other: lines of /modules/order. */
static void modules_load(void)
{
	FILE *order = fopen("/modules/order", "r");
	char name[256];

	while (order && fscanf(order, "%255s", name) == 1) {
		int file = open(name, O_RDONLY);

		if (file < 0 || (syscall(SYS_finit_module, file, "", 0) && errno != EEXIST))
			fail(name);
		close(file);
	}
	if (order)
		fclose(order);
}

/* The kernel's console is not opened by anybody before the first process. */
static void console_open(void)
{
	int console;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	console = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(console, i);
}

/* Large pages where they are asked for; with less than 512 MiB of memory the kernel has none unless it is told to. */
static void large_pages_allow(void)
{
	int file;

	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	file = open("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY);
	if (file < 0 || write(file, "madvise", 7) != 7)
		fail("madvise for large pages");
	close(file);
}

void os_start(void)
{
	/* What is mapped below this stands alone, and is not merged with what was mapped before. */
	if (mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		fail("mmap");
	if (getpid() != 1)
		return;
	console_open();
	atexit(power_off);
	if (!getenv("BENCH_DEFAULTS"))
		large_pages_allow();
	modules_load();
	for (int tries = 0; tries < 100 && access("/dev/vda", F_OK); tries++)
		usleep(10000);
	if (getenv("BENCH_DISK")) {
		mkdir("/disk", 0755);
		if (mount("/dev/vda", "/disk", getenv("BENCH_DISK"), MS_NOATIME, NULL))
			fail("mount");
	} else if (!access("/dev/vda", F_OK) && swapon("/dev/vda", 0)) {
		fail("swapon");
	}
}

void os_null_call(void)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_getppid) : "rcx", "r11", "memory");
}

void *os_alloc(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

void *os_alloc_large(size_t bytes)
{
	char *p = os_alloc(bytes + LARGE_PAGE_BYTES);
	char *at = (char *)(((uintptr_t)p + LARGE_PAGE_BYTES - 1) & ~(LARGE_PAGE_BYTES - 1));

	if (at != p)
		munmap(p, (size_t)(at - p));
	munmap(at + bytes, (size_t)(p + LARGE_PAGE_BYTES - at));
	return madvise(at, bytes, MADV_HUGEPAGE) ? NULL : at;
}

void os_free(void *at, size_t bytes)
{
	if (munmap(at, bytes))
		fail("munmap");
}

static void protect(void *at, size_t bytes, int protection)
{
	if (mprotect(at, bytes, protection))
		fail("mprotect");
}

void os_protect_none(void *at, size_t bytes) { protect(at, bytes, PROT_NONE); }
void os_protect_read(void *at, size_t bytes) { protect(at, bytes, PROT_READ); }
void os_protect_write(void *at, size_t bytes) { protect(at, bytes, PROT_READ | PROT_WRITE); }

intptr_t os_section(size_t bytes)
{
	int file = memfd_create("bench", 0);

	if (file < 0 || ftruncate(file, (off_t)bytes))
		fail("memfd_create");
	return file;
}

void *os_map(intptr_t section, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, (int)section, 0);

	if (p == MAP_FAILED)
		fail("mmap of a file");
	return p;
}

void os_unmap(void *view, size_t bytes)
{
	os_free(view, bytes);
}

intptr_t os_file(size_t bytes)
{
	static char block[65536];
	int file = open("/bench.bin", O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (size_t done = 0; file >= 0 && done < bytes; done += sizeof(block))
		if (write(file, block, sizeof(block)) != (ssize_t)sizeof(block))
			fail("write");
	if (file < 0)
		fail("open of a new file");
	return file;
}

void *os_file_map(intptr_t file, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, (int)file, 0);

	if (p == MAP_FAILED)
		fail("mmap of a file");
	return p;
}

void os_file_read(intptr_t file, size_t offset, void *to, size_t bytes)
{
	if (pread((int)file, to, bytes, (off_t)offset) != (ssize_t)bytes)
		fail("pread");
}

void os_file_close(intptr_t file)
{
	close((int)file);
	unlink("/bench.bin");
}

intptr_t os_disk_file(void)
{
	int file = open("/disk/bench.bin", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (file < 0)
		fail("open of a new file on the disk");
	return file;
}

void os_file_write(intptr_t file, const void *from, size_t bytes)
{
	if (write((int)file, from, bytes) != (ssize_t)bytes)
		fail("write");
}

void os_file_flush(intptr_t file)
{
	if (fsync((int)file))
		fail("fsync");
}

void os_disk_file_close(intptr_t file)
{
	close((int)file);
	unlink("/disk/bench.bin");
}

void os_section_close(intptr_t section)
{
	close((int)section);
}

void *os_reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

intptr_t os_section_sparse(size_t bytes)
{
	return os_section(bytes);
}

void *os_map_sparse(intptr_t section, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, (int)section, 0);

	if (p == MAP_FAILED)
		fail("mmap of a file");
	return p;
}

void os_commit(void *at, size_t bytes)
{
	protect(at, bytes, PROT_READ | PROT_WRITE);
}

intptr_t os_clone(void)
{
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	return child;
}

void os_wait(intptr_t process)
{
	waitpid((pid_t)process, NULL, 0);
}

void os_forget(intptr_t process)
{
	(void)process;
}

void os_exit(void)
{
	_exit(0);
}

intptr_t os_run_itself(void)
{
	char *const words[] = { "bench", "-e", NULL }, *const environment[] = { NULL };
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	if (!child) {
		execve(program_invocation_name, words, environment);
		_exit(1);
	}
	return child;
}

static void (*fault_fix)(void *address);

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if (!fault_fix)
		_exit(1);
	fault_fix(info->si_addr);
}

void os_on_fault(void (*fix)(void *address))
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	fault_fix = fix;
	sigaction(SIGSEGV, &action, NULL);
}

static int events[TOKENS] = { -1, -1, -1 };

void os_token_start(void)
{
	for (int i = 0; i < TOKENS; i++)
		if (events[i] < 0 && (events[i] = eventfd(0, 0)) < 0)
			fail("eventfd");
}

void os_pass(int to)
{
	eventfd_write(events[to], 1);
}

void os_take(int who)
{
	eventfd_t value;

	eventfd_read(events[who], &value);
}

struct thread_start {
	void (*run)(void *argument);
	void *argument;
};

static void *thread_run(void *start)
{
	struct thread_start s = *(struct thread_start *)start;

	free(start);
	s.run(s.argument);
	return NULL;
}

intptr_t os_thread(void (*run)(void *argument), void *argument)
{
	struct thread_start *s = malloc(sizeof(*s));
	pthread_t thread;

	if (s)
		*s = (struct thread_start){ run, argument };
	if (!s || pthread_create(&thread, NULL, thread_run, s))
		fail("pthread_create");
	return (intptr_t)thread;
}

void os_join(intptr_t thread)
{
	pthread_join((pthread_t)thread, NULL);
}

unsigned int os_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned int)CPU_COUNT(&set);
}

static struct sysinfo information(void)
{
	struct sysinfo s;

	sysinfo(&s);
	return s;
}

uint64_t os_memory(void) { return information().totalram * (uint64_t)information().mem_unit; }
uint64_t os_paging_file(void) { return information().totalswap * (uint64_t)information().mem_unit; }

uint64_t os_pages_read(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_majflt;
}

double os_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

const struct row os_rows[] = { { 0 } };
