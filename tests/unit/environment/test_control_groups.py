"""What a container may use is read from trees of files as Linux shows them."""

from __future__ import annotations

import pytest

from cxr.environment.control_groups import read_cpu_quota, read_memory_limit_bytes


@pytest.fixture
def plant(tmp_path):
    """Write files below a root, each given by its path, and return the root."""

    def plant(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return plant


V2 = {"proc/self/cgroup": "0::/pod/box\n"}
V1 = {"proc/self/cgroup": "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/docker/1\n"}
CPU_V1, MEMORY_V1 = "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        (V2, None),
        ({**V2, "sys/fs/cgroup/pod/box/cpu.max": "150000 100000\n"}, 1.5),
        ({**V2, "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n"}, None),
        ({**V2, "sys/fs/cgroup/pod/box/cpu.max": "broken\n"}, None),
        ({**V2, "sys/fs/cgroup/pod/box/cpu.max": "100000 0\n"}, None),
        # The group above is the narrower one, and the other way round.
        (
            {
                **V2,
                "sys/fs/cgroup/pod/cpu.max": "50000 100000",
                "sys/fs/cgroup/pod/box/cpu.max": "200000 100000",
            },
            0.5,
        ),
        (
            {
                **V2,
                "sys/fs/cgroup/pod/cpu.max": "300000 100000",
                "sys/fs/cgroup/pod/box/cpu.max": "max 100000",
            },
            3.0,
        ),
        # In a container the top of the hierarchy is its own group.
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000 200000"}, 2.0),
        ({"proc/self/cgroup": "0::/../x\n", "sys/fs/cgroup/x/cpu.max": "100000 100000"}, 1.0),
        ({"proc/self/cgroup": "0::/../x\n", "sys/fs/x/cpu.max": "100000 100000"}, None),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/unified/a/cpu.max": "10000 20000"}, 0.5),
        # A group that is none of this process's.
        ({**V2, "sys/fs/cgroup/other/cpu.max": "10000 100000"}, None),
        (
            {
                **V1,
                f"{CPU_V1}/docker/1/cpu.cfs_quota_us": "250000\n",
                f"{CPU_V1}/docker/1/cpu.cfs_period_us": "100000\n",
            },
            2.5,
        ),
        (
            {
                **V1,
                f"{CPU_V1}/docker/1/cpu.cfs_quota_us": "-1\n",
                f"{CPU_V1}/docker/1/cpu.cfs_period_us": "100000\n",
                f"{CPU_V1}/docker/cpu.cfs_quota_us": "700000\n",
                f"{CPU_V1}/docker/cpu.cfs_period_us": "100000\n",
            },
            7.0,
        ),
        ({**V1, f"{CPU_V1}/docker/1/cpu.cfs_quota_us": "250000\n"}, None),
        # The names are those outside of the container.
        (
            {
                **V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            1.0,
        ),
    ],
)
def test_the_smallest_quota_of_all_groups_above_counts(plant, files, quota):
    assert read_cpu_quota(plant(files)) == quota


@pytest.mark.parametrize(
    ("files", "limit_bytes"),
    [
        ({}, None),
        ({**V2, "sys/fs/cgroup/pod/box/memory.max": "max\n"}, None),
        ({**V2, "sys/fs/cgroup/pod/box/memory.max": "4294967296\n"}, 2**32),
        (
            {
                **V2,
                "sys/fs/cgroup/pod/box/memory.max": "4294967296\n",
                "sys/fs/cgroup/memory.max": "1073741824\n",
            },
            2**30,
        ),
        ({**V1, f"{MEMORY_V1}/docker/1/memory.limit_in_bytes": "536870912\n"}, 2**29),
        ({**V1, f"{MEMORY_V1}/docker/1/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ({**V1, f"{MEMORY_V1}/memory.limit_in_bytes": "536870912\n"}, 2**29),
        # A limit on processors is none on memory.
        ({**V1, f"{CPU_V1}/docker/1/memory.limit_in_bytes": "536870912\n"}, None),
    ],
)
def test_the_smallest_limit_of_memory_counts(plant, files, limit_bytes):
    assert read_memory_limit_bytes(plant(files)) == limit_bytes


def test_a_file_that_may_not_be_read_sets_no_limit(plant):
    root = plant(V2)
    (root / "sys/fs/cgroup/pod/box/cpu.max").mkdir(parents=True)
    assert read_cpu_quota(root) is None
