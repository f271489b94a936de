/* The first program: found, started and waited for; its end is the machine's. */
#include "io/fat_path.h"
#include "io/file.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "options.h"
#include "proc/file_object.h"
#include "proc/thread.h"

static const char *const places[] = { "\\", "\\bin\\", "\\tests\\" };

static const char environment[] = "COMSPEC=C:\\bin\\sh.exe\0"
				  "OS=Windows_NT\0"
				  "PATH=C:\\bin;C:\\tests\0"
				  "SystemDrive=C:\0"
				  "SystemRoot=C:\\\0"
				  "TEMP=C:\\temp\0"
				  "TMP=C:\\temp\0"; /* and the literal's own 0 */

/* The file of the program that a command line begins with; NULL, with a message. */
static struct file *program_find(const char *command)
{
	char end = command[0] == '"' ? '"' : ' ';
	char name[FILE_PATH_MAX], path[FILE_FULL_PATH_MAX];
	bool suffix, drive, absolute;
	const char *from = command + (end == '"');
	enum file_status status;
	struct file *f;
	size_t n = 0;
	u32 i;

	while (from[n] && from[n] != end && n < sizeof(name) - 1)
		n++;
	memcpy(name, from, n);
	name[n] = 0;
	suffix = n > 4 && !ascii_compare_nocase(name + n - 4, ".exe");
	drive = name[0] && name[1] == ':';
	from = drive ? name + 2 : name;
	absolute = drive || strchr(from, '\\') || strchr(from, '/');
	for (i = 0; i < (absolute ? 1 : ARRAY_SIZE(places)); i++) {
		ksnprintf(path, sizeof(path), "%c:%s%s%s", drive ? name[0] : VOLUME_LETTER_FIRST, from[0] == '\\' || from[0] == '/' ? "" : places[i], from,
			  suffix ? "" : ".exe");
		status = file_open(path, &f);
		if (status == FILE_OK)
			return f;
		if (status != FILE_NOT_FOUND && status != FILE_PATH_NOT_FOUND && status != FILE_BAD_NAME) {
			klog(LOG_ERROR, "the first program %s can't be read: %s", path, file_status_text(status));
			return NULL;
		}
	}
	if (absolute)
		klog(LOG_ERROR, "the first program (option run=) is not there: %s", path);
	else
		klog(LOG_ERROR, "the first program (option run=) is not there: %s%s in C:\\, C:\\bin or C:\\tests",
		     name, suffix ? "" : ".exe");
	return NULL;
}

/* Three handles in a process that nobody runs yet, for its children too. */
static u32 start(struct file *image, const char *command, struct process **p)
{
	static u16 command_line[sizeof(options.run)], variables[sizeof(environment)];
	static const u16 directory[] = { 'C', ':', '\\' };
	struct process_start s = { .image = image };
	struct user_thread *t;
	u32 status;
	int units = utf8_to_utf16(command, strlen(command), command_line, ARRAY_SIZE(command_line));
	size_t i;

	if (units < 0)
		return STATUS_OBJECT_NAME_INVALID;
	for (i = 0; i < sizeof(environment); i++)
		variables[i] = (u8)environment[i];
	s.command_line = (struct user_text){ (u64)command_line, 2 * (u64)units };
	s.environment = (struct user_text){ (u64)variables, sizeof(variables) };
	s.current_directory = (struct user_text){ (u64)directory, sizeof(directory) };
	status = process_create(&s, p, &t);
	if (status)
		return status;
	thread_start(&t->thread);
	object_unref(&t->object);
	return STATUS_SUCCESS;
}

void process_run_first(void)
{
	const char *command = options.run;
	struct object *wait_for;
	struct file *image;
	struct process *p;
	u32 status, code;

	while (*command == ' ')
		command++;
	if (!*command)
		command = "sh";
	image = program_find(command);
	if (!image)
		machine_exit(EXIT_NO_FIRST_PROGRAM);
	status = start(image, command, &p);
	if (status) {
		klog(LOG_ERROR, "the first program %s can't be started: status %#x", image->path, status);
		machine_exit(EXIT_NO_FIRST_PROGRAM);
	}
	file_unref(image);

	wait_for = &p->object;
	object_wait(&wait_for, 1, true, WAIT_FOREVER);
	code = p->exit_status;
	if (code > EXIT_PROGRAM_MAX)
		klog(LOG_ERROR, "%s ended with code %u (%#x)", p->name, code, code);
	object_unref(&p->object);
	files_end();
	machine_exit(MIN(code, (u32)EXIT_PROGRAM_MAX));
}
