"""The shell: scripts through the console's input, and a person at the keyboard."""

import re

UP, DOWN, RIGHT, LEFT, DELETE, HOME, END = (f"\x1b[{end}" for end in ("A", "B", "C", "D", "3~", "H", "F"))
ENTER = "\r"


def script(boot, *lines, code=0, **options):
    return boot(code=code, console="".join(f"{line}\n" for line in lines).encode(), **options)


def test_script(boot):
    run = script(boot, "echo one  two", 'echo "a  b" c ; echo d', "pwd", "cd bin", "pwd", "hello 'x y' \"\" # comment",
                 "cat C:\\data\\hello.txt", "ls C:\\data", "ls -l C:\\data\\many", "exit 3", "echo not reached", code=3)
    run.expect(r"^C:\\> echo one  two$")
    run.expect(r"^one two$")
    run.expect(r"^a  b c\nd$")
    run.expect(r"^C:\\bin$")
    run.expect(r"^argument 1: x y\nargument 2: \n")
    run.expect(r"^Hello, file\.$")
    run.expect(r"numbers\.bin")
    run.expect(r"^300 files, 3,600 bytes$")
    assert "not reached" not in run.output()


def test_exit_codes(boot):
    run = script(boot, "sh -c exit 5", "echo $?", "fault_exit child read", "fault_exit child divide", "no_such",
                 "echo $?", "sh -c exit 0 && echo yes", "sh -c exit 1 && echo no", "exit 0")
    run.expect(r"^exit code 5\n.*echo \$\?\n5$")
    run.expect(r"^access violation \(0xC0000005\)$")
    run.expect(r"^division by zero \(0xC0000094\)$")
    run.expect(r"no_such: no such program or command")
    run.expect(r"^127$")
    run.expect(r"^yes$")
    assert not re.search(r"^no$", run.output(), re.M)


def test_jobs(boot):
    run = script(boot, "testlimit -m 1M -c 2 -k 30 &", "jobs", "kill %1", "wait", "testlimit -m 1M -c 2 &", "wait",
                 "jobs", "time hello", "kill 99999", "exit 0", cpus=2)
    run.expect(r"^\[1\] process \d+$")
    run.expect(r"^\[1\] process \d+: testlimit -m 1M -c 2 -k 30$")
    run.expect(r"^\[1\] ended: testlimit -m 1M -c 2 -k 30: exit code 1$")
    run.expect(r"^\[1\] ended: testlimit -m 1M -c 2$")
    run.expect(r"^time: \d+\.\d+ s")
    run.expect(r"there is no such process")


def test_pipes(boot):
    run = script(boot, "echo through | cat", "ls C:\\bin | cat | cat > list", "cat list", "echo one | no_such", "echo $?",
                 "cat nothing 2> errors", "cat errors", "cat nothing 2>&1 | cat > both", "cat both", "echo x | echo y",
                 "echo lost |", "hello | sh -c exit 6", "cat C:\\data\\numbers.bin | cat > copy.bin",
                 "ls -l copy.bin C:\\data\\numbers.bin", "echo back | cat &", "wait", "exit 0", cpus=2)
    run.expect(r"^through$")
    run.expect(r"^.*testlimit\.exe.*$")
    run.expect(r"no_such: no such program or command")
    run.expect(r"^C:\\> cat errors\ncat: nothing: ")
    run.expect(r"^C:\\> cat both\ncat: nothing: ")
    run.expect(r"^sh: echo: it is built in, and reads nothing")
    run.expect(r"^sh: a command is missing behind \|$")
    run.expect(r"^exit code 6$")
    run.expect(r"^back$")


def test_end_of_the_script_ends_the_machine(boot):
    script(boot, "sh -c exit 9", code=9)


def test_tools(boot):
    """Each tool's output has what it promises; wrong usage says so."""
    run = script(boot, "memstat", "memstat -r", "memstat -t 1 2", "ps", "vmmap sh", "testlimit -m 8M",
                 "testlimit -s 8M", "testlimit -r", "testlimit -d 1M -c 4", "memstat -x", "ls -z", "vmmap -z", "kill",
                 "help", "exit 0", swap="16M", ram="64M")
    run.expect(r"^  charge +[\d,]+ +[\d.]+ [KM]iB +[\d.]+ %$")
    run.expect(r"^commit_limit=\d+$")
    run.expect(r"^ +\d+ +\d+ .* sh\.exe$")
    run.expect(r"^sh\.exe:\n[0-9a-f]+ +\d+ image ")
    run.expect(r"^ntdll\.dll:$")
    run.expect(r"stack")
    run.expect(r"TEB/PEB")
    run.expect(r"heap")
    refused = "was refused: the commit limit is reached (ERROR_COMMITMENT_LIMIT, 1455)"
    assert run.output().replace("\n", " ").count(refused) == 2
    run.expect(r"^nothing was refused$")
    assert len(re.findall(r"^usage: ", run.output(), re.M)) == 3
    run.expect(r"^sh: kill: which process\?")
    run.expect(r"^PROGRAM \[ARGUMENT\]")


def test_file_tools(boot):
    """What is asked of them they do; what they can't do they name, with the file that it is about."""
    run = script(boot, "mkdir a", "mkdir -p a\\b\\c", "touch a\\one.txt a\\two.txt", "ls a", "cp a\\*.txt a\\b", "ls a\\b",
                 "mv a\\one.txt a\\ONE.TXT", "mv a\\b\\one.txt a\\b\\c", "ls a\\b\\c", "rm a\\*.txt", "ls a", "cp -r a d",
                 "ls d\\b", "mkdir -p d\\b\\two.txt\\x", "rmdir d", "rm d", "mv d d\\b\\x", "cp -r d d\\x", "mv d\\none x",
                 "mv d none\\x", "cp bin\\cat.exe bin\\.\\CAT.EXE", "cp none x", "rm bin\\sh.exe", "cp bin\\cat.exe bin\\sh.exe",
                 "cat d", "hexdump d", "rm -x d", "rm -rf d none", "ls d", "df c:\\bin", "df none", "echo hi | hexdump",
                 "cat C:\\data\\hello.txt | hexdump - 0x2 3", "hexdump C:\\data\\hello.txt 7 4K", "hexdump x 1 z",
                 "cp C:\\data\\hello.txt con", "sync", "exit 0")
    for text in [
        r"ls a\nb\\  +one\.txt +two\.txt$", r"ls a\\b\nc\\  +one\.txt +two\.txt$", r"ls a\\b\\c\none\.txt$", r"ls a\nb\\$",
        r"ls d\\b\nc\\  +two\.txt$", r"^mkdir: d\\b\\two\.txt\\x: not a directory", r"^rmdir: d: the directory is not empty",
        r"^rm: d is a directory; -r deletes it", r"^mv: d can't be moved into itself", r"^cp: d can't be copied into itself",
        r"^mv: d\\none: there is no such file", r"^mv: d to none\\x: a directory of the path does not exist",
        r"^cp: bin\\cat\.exe and bin\\\.\\CAT\.EXE are the same", r"^cp: none: there is no such file",
        r"^rm: bin\\sh\.exe: access denied .*a program that runs", r"^cp: bin\\cat\.exe to bin\\sh\.exe: the file is in use",
        r"^cat: d is a directory",
        r"^hexdump: d is a directory", r"^rm: there is no such option: -x\nusage: ", r"^ls: d: there is no such file",
        r"^C: +\d.* MiB", r"^df: none: there is no such file", r"^00000000  68 69 0a +hi\.$", r"^00000002  6c 6c 6f +llo$",
        r"^00000007  66 69 6c 65 2e 0a +file\.\.$", r"^hexdump: this is no number: z\nusage: ", r"hello\.txt con\nHello, file\.$",
    ]:
        run.expect(text)


class Terminal:
    """A person at the console."""

    def __init__(self, run):
        self.run = run
        self.guest = run.start()
        self.wait_for(r"C:\\> ")

    def wait_for(self, pattern):
        __tracebackhide__ = True
        return self.run.wait_for(pattern)

    def type(self, *keys):
        self.guest.write("".join(keys))


def test_background_programs_have_no_keys(machine):
    """Nor have those that they start; what runs in front has."""
    terminal = Terminal(machine(cpus=2))
    terminal.type("cat &", ENTER)
    terminal.wait_for(r"^\[1\] process \d+$")
    terminal.type("wait", ENTER)
    terminal.wait_for(r"^\[1\] ended: cat")
    terminal.type("testrun console_input &", ENTER)
    terminal.wait_for(r"# testrun: 1 of 1 failed")
    terminal.type("trace -q &", ENTER)
    terminal.wait_for(r"^\[\d\] process \d+$")
    for word in ["first", "second", "quick"]:
        terminal.type(f"echo {word}", ENTER)
        terminal.wait_for(rf"^{word}$")
    terminal.type("kill trace", ENTER, "wait", ENTER)
    terminal.wait_for(r"ended: trace")
    terminal.type("cat", ENTER, "a line", ENTER)
    terminal.wait_for(r"a line\n(.*\n)?a line$")
    terminal.type("\x04")
    terminal.wait_for(r"C:\\> ")
    terminal.type("exit 0", ENTER)
    terminal.run.finish().judge(0)


def test_keyboard(machine):
    terminal = Terminal(machine(cpus=1))
    terminal.type("echo abc", ENTER)
    terminal.wait_for(r"^abc$")
    # Editing: each line is made by other keys and gives "one two".
    for keys in [
        ("echo onX", "\x7f", "e two"),
        ("ho one two", HOME, "ec", END),
        ("echo two", LEFT * 3, "one "),
        ("Xecho one two", "\x01", DELETE, "\x05"),
        ("rubbish", "\x15", "echo one two"),
        ("echo one two rubbish", "\x17", "\x7f"),
        ("echo one two rubbish", LEFT * 8, "\x0b"),
        ("echo one tXwo", LEFT * 2, "\b"),
        ("\x0cecho one two",),
        ("echo wrong", "\x03", "echo one two"),
    ]:
        terminal.type(*keys, ENTER)
        terminal.wait_for(r"^one two$")
    # History.
    terminal.type("echo first", ENTER)
    terminal.wait_for(r"^first$")
    terminal.type("echo second", ENTER)
    terminal.wait_for(r"^second$")
    terminal.type(UP, UP, ENTER)
    terminal.wait_for(r"^first$")
    terminal.type(UP, UP, UP, DOWN, "s", ENTER)
    terminal.wait_for(r"^seconds$")
    # A program reads lines; Ctrl-C ends it, Ctrl-D ends its input.
    terminal.type("cat", ENTER)
    terminal.type("a line", ENTER)
    terminal.wait_for(r"a line\n(.*\n)?a line$")
    terminal.type("\x04")
    terminal.wait_for(r"C:\\> ")
    terminal.type("cat", ENTER)
    terminal.type("\x03")
    terminal.wait_for(r"ended by Ctrl-C \(0xC000013A\)")
    # Ctrl-D on an empty line ends the shell, and the machine, with the last command's code.
    terminal.type("sh -c exit 4", ENTER)
    terminal.wait_for(r"exit code 4")
    terminal.type("\x04")
    terminal.run.finish().judge(4)
