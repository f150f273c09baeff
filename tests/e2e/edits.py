"""Random projects, random edits, and an oracle: what must run after each edit, and what must come out, worked out from the
true contents alone. Knows the rules of the surface and nothing of the program.

World is the truth: folders of files and what their TRAINFILEs declare. Oracle remembers which keys were seen. The two never look
at trainmake's state.
"""

import copy
import hashlib
import os

SCRIPT = '''set -eu
keep=64 before=
for word in "$@"; do
  if [ "$before" = --keep ]; then keep=$word; fi
  before=$word
done
cd "$TRAINMAKE_CODE_DIR"
{
  echo "args $*"
  echo "mode ${MODE-}"
  find -L . -type f | LC_ALL=C sort | while IFS= read -r name; do
    echo "code $name"
    cat "$name"
    if [ -x "$name" ]; then echo executable; fi
  done
  cd "$TRAINMAKE_DATA_DIR"
  find -L . -type f | LC_ALL=C sort | while IFS= read -r name; do
    echo "data $name"
    cat "$name"
  done
} >"$TRAINMAKE_LOG_DIR/read"
sum=$(sha256sum <"$TRAINMAKE_LOG_DIR/read")
printf "%.${keep}s\\n" "$sum" >"$TRAINMAKE_OUTPUT_DIR/out.txt"
'''
SPACE = '''store "bucket" { url = "dir:bucket" }
platform "other" { type = "local" }
'''


FIXED = ("run.sh", "/id", "/id.txt", "/linked")  # what every project keeps, so that no two targets are alike and no link dangles


class File:
    def __init__(self, text="", executable=False, link=None):
        self.text, self.executable, self.link = text, executable, link

    def __repr__(self):
        return f"-> {self.link}" if self.link else repr(self.text)


class Project:
    """What one TRAINFILE declares, and the files beside it. Targets are dictionaries by name, as their attributes are."""

    def __init__(self, folder):
        self.folder = folder
        self.files = {}
        self.codes, self.datas, self.images, self.jobs = {}, {}, {}, {}
        self.remarks = 0

    def trainfile(self):
        lines = [f"-- {self.remarks} remarks"]
        for name, code in self.codes.items():
            exclude = ", ".join(f'"{pattern}"' for pattern in code["exclude"])
            lines.append(f'code "{name}" {{ srcs = glob {{ "{name}.code/**", exclude = {{ {exclude} }} }}, main = "run.sh" }}')
        for name, data in self.datas.items():
            store = 'store = "bucket"' if data["store"] else ""
            dest = f'dest = "{data["dest"]}",' if data["dest"] else ""
            lines.append(f'data "{name}" {{ files = glob {{ "{name}.data/{data["pattern"]}", allow_empty = true }}, {dest} {store} }}')
        for name, image in self.images.items():
            lines.append(f'image "{name}" {{ code = "{image["code"]}", base = "scratch", env = {{ LEVEL = "{image["level"]}" }} }}')
        for name, job in self.jobs.items():
            data = ", ".join(f'["{channel}"] = "{label}"' if channel else f'"{label}"' for channel, label in job["data"].items())
            params = ", ".join(f"{key} = {value}" for key, value in job["params"].items())
            lines.append(f'job "{name}" {{ image = "{job["image"]}", data = {{ {data} }}, params = {{ {params} }}, env = {{ MODE = "{job["mode"]}" }}, '
                         f'outputs = {{ out = "out.txt" }}, notes = "{job["notes"]}", retries = {job["notes"] % 3} }}')
        return "\n".join(lines) + "\n"


class World:
    def __init__(self, dice):
        self.dice = dice
        self.serial = 0
        self.projects = {}
        self.order = []  # jobs, so that a job needs earlier ones alone
        for number in range(dice.randint(1, 4)):
            self.new_project(f"p{number}")

    def text(self):
        self.serial += 1
        return f"{self.serial} " + "x" * self.dice.randint(0, 30) + "\n"

    def new_project(self, folder):
        dice = self.dice
        project = self.projects[folder] = Project(folder)
        for number in range(dice.randint(1, 2)):
            name = f"c{number}"
            project.codes[name] = {"exclude": []}
            project.files[f"{name}.code/run.sh"] = File(SCRIPT)
            project.files[f"{name}.code/id"] = File(f"{folder} {name}\n")
            for extra in range(dice.randint(0, 3)):
                project.files[f"{name}.code/f{extra}"] = File(self.text(), dice.random() < 0.3)
        for number in range(dice.randint(1, 3)):
            name = f"d{number}"
            project.datas[name] = {"store": dice.random() < 0.4, "dest": dice.choice(["", "", "sub"]), "pattern": dice.choice(["**", "**/*.txt"])}
            project.files[f"{name}.data/id.txt"] = File(f"{folder} {name}\n")
            for extra in range(dice.randint(0, 4)):
                project.files[f"{name}.data/{dice.choice(['', 'deep/', 'deep/er/'])}f{extra}.{dice.choice(['txt', 'bin'])}"] = File(self.text())
        for number, code in enumerate(project.codes):
            project.images[f"i{number}"] = {"code": f"//{folder}/code:{code}", "level": 0}
        for number in range(dice.randint(1, 3)):
            self.new_job(project, f"j{number}")

    def new_job(self, project, name):
        job = {"image": self.dice.choice(self.all_images()), "mode": 0, "notes": 0, "data": {},
               "params": {"keep": self.dice.choice([0, 1, 64, 64]), "p": self.dice.randint(0, 9)}}
        label = f"//{project.folder}/job:{name}"
        self.order.append(label)
        project.jobs[name] = job
        self.relink(job, label)

    def relink(self, job, label):
        possible = self.all_datas() + self.order[: self.order.index(label)]
        chosen = self.dice.sample(possible, min(len(possible), self.dice.randint(0, 3)))
        job["data"] = {f"ch{number}" if number or self.dice.random() < 0.5 else "": label for number, label in enumerate(chosen)}

    def all_images(self):
        return [f"//{folder}/image:{name}" for folder, project in self.projects.items() for name in project.images]

    def all_datas(self):
        return [f"//{folder}/data:{name}" for folder, project in self.projects.items() for name in project.datas]

    def find(self, label):
        folder, _, rest = label[2:].rpartition("/")
        kind, name = rest.split(":")
        project = self.projects[folder]
        return project, kind, name, getattr(project, kind + "s")[name]

    def labels(self):
        found = []
        for folder, project in self.projects.items():
            for kind in ("code", "data", "image", "job"):
                found += [f"//{folder}/{kind}:{name}" for name in getattr(project, kind + "s")]
        return found

    def needs(self, label):
        _, kind, _, target = self.find(label)
        if kind == "image":
            return [target["code"]]
        if kind == "job":
            return [target["image"], *target["data"].values()]
        return []

    def closure(self, labels):
        found, waiting = set(), list(labels)
        while waiting:
            label = waiting.pop()
            if label not in found:
                found.add(label)
                waiting += self.needs(label)
        return found

    # Edits. Each changes the world and returns what it did, in words; or returns None when there was nothing to do it to.

    def edit(self):
        kinds = [self.edit_content] * 6 + [self.edit_keeping_times] * 2 + [
            self.touch, self.touch, self.rename, self.remove, self.add, self.add, self.chmod, self.link, self.param, self.param, self.mode, self.level, self.notes,
            self.remark, self.relabel, self.exclude, self.pattern, self.dest, self.store, self.add_job, self.remove_job]
        while True:
            if said := self.dice.choice(kinds)():
                return said

    def some_file(self, fixed=("run.sh",)):
        files = [(project, name) for project in self.projects.values() for name, file in project.files.items()
                 if not file.link and not name.endswith(tuple(fixed))]
        return self.dice.choice(files) if files else (None, None)

    def edit_content(self):
        project, name = self.some_file(fixed=())
        file = project.files[name]
        file.text = (SCRIPT + f"# {self.text()}") if name.endswith("run.sh") else self.text()
        return f"edit {project.folder}/{name}"

    def edit_keeping_times(self):
        project, name = self.some_file()
        file = project.files[name]
        swapped = file.text.swapcase()
        file.text = swapped if swapped != file.text else file.text[::-1]
        file.keep_times = True
        return f"edit {project.folder}/{name}, keeping size and mtime"

    def touch(self):
        project, name = self.some_file(fixed=())
        project.files[name].touched = True
        return f"touch {project.folder}/{name}"

    def rename(self):
        project, name = self.some_file(FIXED)
        if name:
            self.serial += 1
            stem, dot, suffix = name.rpartition("/")[2].partition(".")
            project.files[new := f"{name.rpartition('/')[0]}/r{self.serial}{dot}{suffix}"] = project.files.pop(name)
            return f"rename {project.folder}/{name} to {new} ({stem})"
        return None

    def remove(self):
        project, name = self.some_file(FIXED)
        if name:
            del project.files[name]
            return f"remove {project.folder}/{name}"
        return None

    def add(self):
        project = self.dice.choice(list(self.projects.values()))
        self.serial += 1
        top = self.dice.choice([f"{name}.code" for name in project.codes] + [f"{name}.data" for name in project.datas] + ["unrelated"])
        name = f"{top}/{self.dice.choice(['', '.hidden/', 'deep/'])}n{self.serial}.{self.dice.choice(['txt', 'bin'])}"
        project.files[name] = File(self.dice.choice(["", self.text()]))
        return f"add {project.folder}/{name}"

    def chmod(self):
        project, name = self.some_file()
        project.files[name].executable = not project.files[name].executable
        return f"chmod {project.folder}/{name}"

    def link(self):
        """A link in a data folder to a file beside it, or away again."""
        project = self.dice.choice(list(self.projects.values()))
        name = f"{self.dice.choice(list(project.datas))}.data/link.txt"
        if name in project.files:
            del project.files[name]
            return f"remove the link {project.folder}/{name}"
        project.files["unrelated/linked"] = File(self.text())
        project.files[name] = File(link="../unrelated/linked")
        return f"link {project.folder}/{name}"

    def some_job(self):
        if not self.order:
            return None, None
        label = self.dice.choice(self.order)
        return label, self.find(label)[3]

    def param(self):
        label, job = self.some_job()
        if job:
            job["params"]["p" if self.dice.random() < 0.7 else "keep"] = self.dice.choice([0, 1, 2, 64])
            return f"params of {label}: {job['params']}"
        return None

    def mode(self):
        label, job = self.some_job()
        if job:
            job["mode"] = self.dice.randint(0, 2)
            return f"env of {label}: {job['mode']}"
        return None

    def notes(self):
        label, job = self.some_job()
        if job:
            job["notes"] += 1
            return f"notes and retries of {label}"
        return None

    def level(self):
        label = self.dice.choice(self.all_images())
        self.find(label)[3]["level"] = self.dice.randint(0, 2)
        return f"env of {label}"

    def remark(self):
        project = self.dice.choice(list(self.projects.values()))
        project.remarks += 1
        return f"a remark in {project.folder}/TRAINFILE.lua"

    def relabel(self):
        label, job = self.some_job()
        if job:
            if self.dice.random() < 0.3:
                job["image"] = self.dice.choice(self.all_images())
            else:
                self.relink(job, label)
            return f"what {label} needs"
        return None

    def exclude(self):
        label = self.dice.choice([f"//{folder}/code:{name}" for folder, project in self.projects.items() for name in project.codes])
        self.find(label)[3]["exclude"] = self.dice.choice([[], ["**/*.bin"], ["**/deep/**"], ["**/nothing"]])
        return f"exclude of {label}"

    def pattern(self):
        label = self.dice.choice(self.all_datas())
        self.find(label)[3]["pattern"] = self.dice.choice(["**", "**/*.txt", "*.txt"])
        return f"pattern of {label}"

    def dest(self):
        label = self.dice.choice(self.all_datas())
        self.find(label)[3]["dest"] = self.dice.choice(["", "sub", "sub/two"])
        return f"dest of {label}"

    def store(self):
        label = self.dice.choice(self.all_datas())
        data = self.find(label)[3]
        if data["store"]:
            return None  # what a store holds outlives its target; the oracle follows those that have one
        data["store"] = True
        return f"a store for {label}"

    def add_job(self):
        if len(self.order) > 10:
            return None
        self.serial += 1
        project = self.dice.choice(list(self.projects.values()))
        self.new_job(project, f"n{self.serial}")
        return f"add {self.order[-1]}"

    def remove_job(self):
        free = [label for label in self.order if not any(label in self.needs(other) for other in self.order)]
        if not free or len(self.order) < 2:
            return None
        label = self.dice.choice(free)
        self.order.remove(label)
        project, _, name, _ = self.find(label)
        del project.jobs[name]
        return f"remove {label}"

    # What the contents are, as the surface says.

    def content(self, project, file):
        """A file's text, links read through; None when a link leads nowhere."""
        if file.link is None:
            return file.text
        target = project.files.get(os.path.normpath(os.path.join("x.data", file.link)))
        return None if target is None else target.text

    def code_files(self, label):
        """key → (text, executable)"""
        project, _, name, code = self.find(label)
        top = f"{name}.code/"
        return {path[len(top):]: (file.text, file.executable) for path, file in project.files.items()
                if path.startswith(top) and not any(fits_exclude(pattern, path) for pattern in code["exclude"])}

    def data_files(self, label):
        """key → text"""
        project, _, name, data = self.find(label)
        top = f"{name}.data/"
        files = {}
        for path, file in project.files.items():
            if path.startswith(top) and fits(data["pattern"], path[len(top):]):
                key = path[len(top):]
                files[f"{data['dest']}/{key}" if data["dest"] else key] = self.content(project, file)
        return files


def fits(pattern, key):
    if pattern == "**":
        return True
    return key.endswith(".txt") and (pattern == "**/*.txt" or "/" not in key)


def fits_exclude(pattern, path):
    return {"**/*.bin": path.endswith(".bin"), "**/deep/**": "/deep/" in path, "**/nothing": path.endswith("/nothing")}[pattern]


class Oracle:
    """Remembers, per label, the keys it has seen and the last; works out what must happen next."""

    def __init__(self):
        self.last, self.seen = {}, {}
        self.bucket = {}  # object → text

    def expect(self, world, asked, platform):
        """What running `asked` must come to: label → state. Remembers it as done."""
        self.world, self.platform, self.keys = world, platform, {}
        states = {}
        for label in sorted(world.closure(asked)):
            kind = world.find(label)[1]
            key = self.key(label)
            if kind == "data" and world.find(label)[3]["store"]:
                changed = self.mirror(label)
                states[label] = "up_to_date" if self.last.get(label) == key else "ran" if changed or key not in self.seen.get(label, ()) else "reused"
            elif self.last.get(label) == key:
                states[label] = "up_to_date"
            else:
                states[label] = "reused" if key in self.seen.get(label, ()) else "ran"
            self.last[label] = key
            self.seen.setdefault(label, set()).add(key)
        return states

    def mirror(self, label):
        """Makes the bucket as the target wants it; says whether it had to change."""
        project, _, name, _ = self.world.find(label)
        top = f"{project.folder}/{name}/"
        wanted = {top + key: text for key, text in self.world.data_files(label).items()}
        here = {key: text for key, text in self.bucket.items() if key.startswith(top)}
        for key in here:
            del self.bucket[key]
        self.bucket.update(wanted)
        return here != wanted

    def key(self, label):
        """Everything that the result depends on, as a value."""
        if label in self.keys:
            return self.keys[label]
        world = self.world
        _, kind, _, target = world.find(label)
        if kind == "code":
            key = frozenset(world.code_files(label).items())
        elif kind == "data":
            key = (frozenset(world.data_files(label).items()), target["store"], target["dest"])
        elif kind == "image":
            key = (target["code"], self.key(target["code"]), target["level"])
        else:
            data = frozenset((channel, need, frozenset(world.data_files(need).items()) if "/data:" in need else self.output(need))
                             for channel, need in target["data"].items())
            key = (target["image"], self.key(target["image"]), data, frozenset(target["params"].items()), target["mode"], self.platform)
        self.keys[label] = key
        return key

    def output(self, label):
        """The text of a job's out.txt, as a build from scratch would leave it."""
        world = self.world
        _, _, _, job = world.find(label)
        code = {f"./{key}": (text.encode(), executable) for key, (text, executable) in world.code_files(world.find(job["image"])[3]["code"]).items()}
        data = {}
        for channel, need in job["data"].items():
            files = world.data_files(need) if "/data:" in need else {"out.txt": self.output(need)}
            data.update({"./" + (f"{channel}/" if channel else "") + key: text.encode() for key, text in files.items()})
        words = " ".join(f"--{name} {value}" for name, value in sorted(job["params"].items()))
        read = f"args {words}\nmode {job['mode']}\n".encode()
        for name in sorted(code, key=str.encode):
            text, executable = code[name]
            read += b"code " + name.encode() + b"\n" + text + (b"executable\n" if executable else b"")
        for name in sorted(data, key=str.encode):
            read += b"data " + name.encode() + b"\n" + data[name]
        return hashlib.sha256(read).hexdigest()[: job["params"]["keep"]] + "\n"


class Disk:
    """Writes a World to a folder, changing only what differs from what it wrote before."""

    def __init__(self, place):
        self.place, self.written = place, {}
        place.write("TRAINSPACE.lua", SPACE)

    def write(self, world):
        wanted = {}
        for project in world.projects.values():
            wanted[f"{project.folder}/TRAINFILE.lua"] = File(project.trainfile())
            wanted.update({f"{project.folder}/{name}": file for name, file in project.files.items()})
        for path in self.written.keys() - wanted.keys():
            self.place.remove(path)
        for path, file in wanted.items():
            self.write_file(path, self.written.get(path), file)
        self.written = {path: copy.copy(file) for path, file in wanted.items()}

    def write_file(self, path, before, file):
        full = self.place.path(path)
        touched, keep_times = file.__dict__.pop("touched", False), file.__dict__.pop("keep_times", False)
        if file.link:
            if before is None:
                full.parent.mkdir(parents=True, exist_ok=True)
                full.symlink_to(file.link)
            return
        if before is None or before.text != file.text:
            stat = full.stat() if before else None
            self.place.write(path, file.text)
            if keep_times and stat and stat.st_size == full.stat().st_size:
                os.utime(full, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        if before is None or before.executable != file.executable:
            full.chmod(0o755 if file.executable else 0o644)
        if touched:
            self.place.touch(path)
