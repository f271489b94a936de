"""Tables in the part of a document that a command makes: between two lines that name it."""


def markdown(lines):
    """A table of Markdown; the first column is text, the others are figures."""
    return "\n".join(["| " + " | ".join(lines[0]) + " |", "| --- |" + " ---: |" * (len(lines[0]) - 1)] +
                     ["| " + " | ".join(line) + " |" for line in lines[1:]])


def write_part(path, command, tables):
    """tables: [(title, lines)]. Replaces what the command made last time; the two lines have to be there."""
    begin, end = f"<!-- {command}: begin -->", f"<!-- {command}: end -->"
    head, found, rest = path.read_text().partition(begin)
    _, ended, tail = rest.partition(end)
    if not found or not ended:
        raise OSError(f"{path} has no part {begin} ... {end}")
    text = "\n\n".join(f"{title}\n\n{markdown(lines)}" for title, lines in tables)
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}")
