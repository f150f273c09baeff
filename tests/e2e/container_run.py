"""Runs an unpacked image in the first container runtime that works here, or in a chroot."""

import json
import os
import pathlib
import shutil
import subprocess
import uuid

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
# Neither runtime starts where we are in a chroot ourselves, nor crun where cgroups are mounted in both versions.
WAYS = [["crun", "run"], ["runc", "run"], ["chroot"]]


def unpack(source, folder):
    """The bundle that umoci makes of an image, given as skopeo names it, as root and with what the image says."""
    subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", source, f"oci:{folder}/layout:it"], check=True, capture_output=True)
    bundle = pathlib.Path(folder) / "bundle"
    subprocess.run(["umoci", "unpack", "--image", f"{folder}/layout:it", str(bundle)], check=True, capture_output=True)
    changed(bundle, terminal=False)
    return bundle


def changed(bundle, **process):
    config = json.loads((bundle / "config.json").read_text())
    config["process"].update(process)
    (bundle / "config.json").write_text(json.dumps(config))
    return config["process"]


def start_in_chroot(bundle):
    process, root = changed(bundle), bundle / "rootfs"

    def enter():
        os.chroot(root)
        os.chdir(process["cwd"])

    return subprocess.run(process["args"], preexec_fn=enter, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                          env=dict(variable.split("=", 1) for variable in process["env"]))


def start(way, bundle):
    if way == ["chroot"]:
        return start_in_chroot(bundle)
    return subprocess.run([*way, "--bundle", str(bundle), f"story-{uuid.uuid4().hex[:12]}"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                          env={"PATH": PATH, "XDG_RUNTIME_DIR": "/tmp"})


def run(bundle, test, probe):
    """What its program prints. Where no runtime can even start `probe`, which ends well, the test is skipped with what each of them said."""
    arguments = changed(bundle)["args"]
    said = []
    for way in WAYS:
        if not shutil.which(way[0], path=PATH):
            said.append(f"{way[0]} is not installed")
            continue
        changed(bundle, args=probe)
        try:
            tried = start(way, bundle)
        except (OSError, subprocess.SubprocessError) as error:
            said.append(f"{way[0]}: {error}")
            continue
        changed(bundle, args=arguments)
        if tried.returncode == 0:
            done = start(way, bundle)
            test.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return done.stdout
        said.append(f"{' '.join(way)}: {(tried.stderr or tried.stdout).strip()[-300:]}")
    test.skipTest("no container runtime works here: " + "; ".join(said))
    return None
