"""Stand-ins for gpus, for stories on machines without any: an nvidia-smi that tells of some, and a driver with device nodes and
libraries that a CDI file names, as `nvidia-ctk cdi generate` writes one."""

import os
import stat

CDI = """---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  deviceNodes:
  - hostPath: {driver}/dev/nvidiactl
    path: /dev/nvidiactl
  - hostPath: {driver}/dev/nvidia-uvm
    path: /dev/nvidia-uvm
  hooks:
  - args:
    - nvidia-cdi-hook
    - create-symlinks
    - --link
    - libcuda.so.1::/usr/lib/x86_64-linux-gnu/libcuda.so
    hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
  - args:
    - nvidia-cdi-hook
    - update-ldcache
    - --folder
    - /usr/lib/x86_64-linux-gnu
    hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54
    hostPath: {driver}/lib/libcuda.so.550.54
    options:
    - ro
    - nosuid
    - nodev
    - bind
  - containerPath: /usr/bin/nvidia-smi
    hostPath: {driver}/bin/nvidia-smi
    options: [ro, nosuid, nodev, bind]
devices:
"""
DEVICE = """- name: "{name}"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia{index}
      hostPath: {driver}/dev/nvidia{index}
"""


def add_gpus(place, count):
    lines = "".join(f"{index}, GPU-{index}, 0\\n" for index in range(count))
    place.write("bin/nvidia-smi", f"#!/bin/sh\nprintf '{lines}'\n", 0o755)
    place.env["PATH"] = f"{place.path('bin')}:{place.env['PATH']}"


def add_driver(place, count):
    """What a container is given of them, by a CDI file in the folder `cdi`. A gpu's node says which it is."""
    driver = place.path("driver")
    place.write("driver/bin/nvidia-smi", "#!/bin/sh\necho smi of the driver\n", 0o755)
    place.write("driver/lib/libcuda.so.550.54", "library\n")
    os.symlink("libcuda.so.550.54", driver / "lib/libcuda.so.1")
    for index in range(count):
        place.write(f"driver/dev/nvidia{index}", f"gpu {index}\n")
    place.write("driver/dev/nvidiactl", "")
    if os.getuid() == 0:
        os.mknod(driver / "dev/nvidia-uvm", 0o666 | stat.S_IFCHR, os.makedev(1, 3))  # what /dev/null is
    else:
        place.write("driver/dev/nvidia-uvm", "")
    names = [(name, index) for index in range(count) for name in (index, f"GPU-{index}")]
    devices = "".join(DEVICE.format(driver=driver, name=name, index=index) for name, index in names)
    place.write("cdi/nvidia.yaml", CDI.format(driver=driver) + devices)


# What a job in a container finds of them, for its script.
LOOK = """
for node in /dev/nvidia*; do echo "$node: $(cat $node)"; done
echo "$CUDA_VISIBLE_DEVICES of $NVIDIA_VISIBLE_DEVICES by $CUDA_DEVICE_ORDER, $LD_LIBRARY_PATH"
cat $LD_LIBRARY_PATH/libcuda.so.1 /usr/lib/x86_64-linux-gnu/libcuda.so
nvidia-smi
(echo x >>/usr/lib/x86_64-linux-gnu/libcuda.so.550.54) 2>/dev/null || echo read-only
echo x >/dev/nvidia-uvm && echo written
echo out >/output/o.txt
"""


def found(*indices):
    """What LOOK prints for these of the driver's gpus."""
    nodes = ["/dev/nvidia-uvm: "] + [f"/dev/nvidia{index}: gpu {index}" for index in indices] + ["/dev/nvidiactl: "]
    numbers = ",".join(str(number) for number in range(len(indices)))
    return "\n".join([*nodes, f"{numbers} of {numbers} by PCI_BUS_ID, /usr/local/nvidia/lib64", "library", "library",
                      "smi of the driver", "read-only", "written", ""])
