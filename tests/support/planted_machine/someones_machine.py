"""What a machine tells about itself, full of the names of who owns it."""

from __future__ import annotations

HEX = "0123456789abcdef" * 4
DRIVER = "560.35.03"

FILES = {
    "/run/.containerenv": f"""engine="podman-5.4.0"
name="planted-user-box"
image="planted-registry.invalid/planted-user/cxr:latest"
imageid="{HEX}"
graphRootMounted=/planted-home/.local/share/containers
""",
    "/proc/driver/nvidia/version": (
        f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {DRIVER}  Release Build  "
        "(planted-user@planted-host)  Fri Aug 16 21:22:33 UTC 2024\n"
    ),
    "/run/systemd/container": "planted-user\n",
}

BUILD = """PyTorch built with:
  - GCC 13.3
  - Intel(R) MKL-DNN v3.7.1 (Git Hash 8d263e69)
  - CPU capability usage: AVX2
  - Build settings: CXX_COMPILER=/home/planted-user/bin/c++, CXX_FLAGS= -O2 -I/planted-home/x \
-DFETCHED=https://planted-user:planted-password@planted-registry.invalid/x, USE_CUDA=0,
"""
