#!/usr/bin/env python3
"""A stand-in for apptainer, which Debian 12 has not: takes the words that `apptainer exec` knows, and no others, and has bubblewrap
do what they mean."""

import csv
import os
import sys

SWITCHES = ("--cleanenv", "--no-eval", "--no-umask", "--writable", "--contain")
PREFIX = "APPTAINERENV_"


def refuse(why):
    sys.exit(f"apptainer: {why}")


def mount(text):
    """As the field of --mount: a row of comma-separated values."""
    (fields,) = csv.reader([text], strict=True)
    said = dict(field.split("=", 1) for field in fields if "=" in field)
    if set(said) != {"type", "source", "destination"} or said["type"] != "bind":
        refuse(f"unknown mount {text!r}")
    if not set(field for field in fields if "=" not in field) <= {"ro"}:
        refuse(f"unknown option in {text!r}")
    return said["source"], said["destination"], "ro" not in fields


def main():
    words = sys.argv[1:]
    if words[:3] != ["--silent", "--nocolor", "exec"]:
        refuse(f"unknown command {words[:3]}")
    words, switches, binds, home, folder = words[3:], set(), [], "/root", "/"
    while words and words[0].startswith("--"):
        word = words.pop(0)
        if word in SWITCHES:
            switches.add(word)
        elif word == "--no-mount":
            if not set(words.pop(0).split(",")) <= {"proc", "sys", "dev", "devpts", "tmp", "home", "cwd", "hostfs", "bind-paths"}:
                refuse("unknown kind of mount")
        elif word == "--drop-caps":
            if not all(name.startswith("CAP_") for name in words.pop(0).split(",")):
                refuse("unknown capability")
        elif word == "--pwd":
            folder = words.pop(0)
        elif word == "--home":
            source, home = words.pop(0).split(":")
            binds.append((source, home, True))
        elif word == "--mount":
            binds.append(mount(words.pop(0)))
        else:
            refuse(f"unknown flag {word}")
    if switches != set(SWITCHES) or len(words) < 2:
        refuse(f"something is missing in {sys.argv}")
    root, *command = words
    options = ["--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys", "--chdir", folder, "--die-with-parent"]
    for source, at, writable in binds:
        if at.startswith("/dev/") and source != at:
            continue
        if not at.startswith("/dev/") and not os.path.lexists(root + at):  # a root that is written to gets no places of its own
            refuse(f"there is no {at} in the container to mount {source} on")
        options += ["--dev-bind" if at.startswith("/dev/") else "--bind" if writable else "--ro-bind", source, at]
    inside = {name.removeprefix(PREFIX): value for name, value in os.environ.items() if name.startswith(PREFIX)}
    inside = {"HOME": home, "PATH": "/usr/bin:/bin"} | inside | {"LD_LIBRARY_PATH": ":".join(filter(None, [inside.get("LD_LIBRARY_PATH"), "/.singularity.d/libs"]))}
    os.execve("/usr/bin/bwrap", ["bwrap", *options, *command], inside)


if __name__ == "__main__":
    main()
