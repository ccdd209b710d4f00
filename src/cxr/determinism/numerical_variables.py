"""Names of the environment variables that numerical libraries read, by library.

A value is recorded only of a name that a library's manual has: whatever else begins like one
(``MKL_PW``, say) was named by somebody, and may hold anything.
"""

from __future__ import annotations

from typing import Final

FAMILIES: Final = (
    "ATEN_",
    "BLIS_",
    "CUBLAS",
    "CUDNN_",
    "DNNL_",
    "GOMP_",
    "GOTO_",
    "KMP_",
    "MKL_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "VECLIB_",
)
"""Beginnings of the variables that numerical libraries read."""

# Source: OpenMP 5.2, "Environment Variables".
_OPENMP: Final = """
    AFFINITY_FORMAT ALLOCATOR CANCELLATION DEBUG DEFAULT_DEVICE DISPLAY_AFFINITY DISPLAY_ENV
    DYNAMIC MAX_ACTIVE_LEVELS MAX_TASK_PRIORITY NESTED NUM_TEAMS NUM_THREADS PLACES PROC_BIND
    SCHEDULE STACKSIZE TARGET_OFFLOAD TEAMS_THREAD_LIMIT THREAD_LIMIT TOOL TOOL_LIBRARIES
    TOOL_VERBOSE_INIT WAIT_POLICY
"""

# Source: GCC, "GNU Offloading and Multi Processing Runtime Library", environment variables.
_GOMP: Final = "CPU_AFFINITY DEBUG RTEMS_THREAD_POOLS SPINCOUNT STACKSIZE"

# Source: LLVM/OpenMP, "Environment Variables"; Intel's compiler manual has the same.
_KMP: Final = """
    ABORT_DELAY ADAPTIVE_LOCK_PROPS AFFINITY ALIGN_ALLOC ALL_THREADS ALL_THREADPRIVATE
    ATOMIC_MODE BLOCKTIME CONSISTENCY_CHECK CPUINFO_FILE DETERMINISTIC_REDUCTION
    DEVICE_THREAD_LIMIT DISP_NUM_BUFFERS DUPLICATE_LIB_OK DYNAMIC_MODE ENABLE_TASK_THROTTLING
    FORCE_REDUCTION FORKJOIN_BARRIER FORKJOIN_BARRIER_PATTERN GTID_MODE HANDLE_SIGNALS
    HIDDEN_HELPER_AFFINITY HOT_TEAMS_MAX_LEVEL HOT_TEAMS_MODE HW_SUBSET INHERIT_FP_CONTROL
    INIT_AT_FORK INIT_WAIT ITT_PREPARE_DELAY LIBRARY LOCK_KIND MALLOC_POOL_INCR MAX_THREADS
    MONITOR_STACKSIZE
    MWAIT_HINTS NEXT_WAIT NUM_LOCKS_IN_BLOCK PLACE_THREADS PLAIN_BARRIER PLAIN_BARRIER_PATTERN
    REDUCTION_BARRIER REDUCTION_BARRIER_PATTERN SCHEDULE SETTINGS SPIN_BACKOFF_PARAMS STACKOFFSET
    STACKPAD STACKSIZE STORAGE_MAP TASKING TASKLOOP_MIN_TASKS TASK_STEALING_CONSTRAINT
    TEAMS_THREAD_LIMIT TOPOLOGY_METHOD TPAUSE USER_LEVEL_MWAIT USE_YIELD VERSION WARNINGS
"""

# Source: Intel oneMKL, "Environment Variables" of the developer guide.
_MKL: Final = """
    CBWR CBWR_BRANCH DEBUG_CPU_TYPE DISABLE_FAST_MM DOMAIN_NUM_THREADS DYNAMIC
    ENABLE_INSTRUCTIONS FAST_MEMORY_LIMIT INTERFACE_LAYER JIT_MAX_SIZE MIC_ENABLE NUM_STRIPES
    NUM_THREADS THREADING_LAYER VERBOSE VML_MODE
"""

# Source: OpenBLAS, "Runtime variables", and its interface/ and driver/ for the rest.
_OPENBLAS: Final = """
    ADAPTIVE BLOCK_FACTOR CORETYPE DEFAULT_NUM_THREADS L2_SIZE LOOPS MAIN_FREE NUM_THREADS
    THREAD_TIMEOUT VERBOSE
"""

# Source: oneDNN, "Run-time Controls" of each feature; the older name DNNL_ is read as well.
_ONEDNN: Final = """
    CPU_ISA_HINTS DEFAULT_FPMATH_MODE GRAPH_VERBOSE JIT_DUMP JIT_PROFILE MAX_CPU_ISA
    PRIMITIVE_CACHE_CAPACITY VERBOSE VERBOSE_TIMESTAMP
"""

# Source: NVIDIA's manuals of cuBLAS and cuDNN, "Logging", "Results reproducibility".
_CUBLAS: Final = """
    CUBLAS_EMULATE_SINGLE_PRECISION CUBLAS_EMULATE_DOUBLE_PRECISION CUBLAS_EMULATION_STRATEGY
    CUBLAS_LOGINFO_DBG CUBLAS_WORKSPACE_CONFIG CUBLASLT_HEURISTICS_CACHE_CAPACITY
    CUBLASLT_LOG_LEVEL CUBLASLT_LOG_MASK CUBLASLT_WORKSPACE_SIZE
"""
_CUDNN: Final = """
    CONV_WSCAP_DBG FRONTEND_LOG_INFO LOGERR_DBG LOGINFO_DBG LOGLEVEL_DBG LOGWARN_DBG
"""

# Source: BLIS, docs/Multithreading.md and docs/HardwareSupport.md.
_BLIS: Final = (
    "ARCH_DEBUG ARCH_TYPE IC_NT IR_NT JC_NT JR_NT NUM_THREADS PACK_A PACK_B PC_NT THREAD_IMPL"
)


def _join(family: str, names: str) -> list[str]:
    return [f"{family}{name}" for name in names.split()]


KNOWN_NAMES: Final = frozenset(
    [
        # Source: torch, aten/src/ATen/native/DispatchStub.cpp.
        "ATEN_CPU_CAPABILITY",
        # Source: Apple, the manual page of Accelerate.
        "VECLIB_MAXIMUM_THREADS",
        # Source: OpenBLAS, which still reads the names of GotoBLAS.
        *("GOTO_NUM_THREADS", "GOTO_BLOCK_FACTOR"),
        *_CUBLAS.split(),
        *_join("OMP_", _OPENMP),
        *_join("GOMP_", _GOMP),
        *_join("KMP_", _KMP),
        *_join("MKL_", _MKL),
        *_join("OPENBLAS_", _OPENBLAS),
        *_join("ONEDNN_", _ONEDNN),
        *_join("DNNL_", _ONEDNN),
        *_join("CUDNN_", _CUDNN),
        *_join("BLIS_", _BLIS),
    ]
)
"""Names in those families that a library reads."""

CHOSEN_NAMES: Final = frozenset(
    [
        "GLIBC_TUNABLES",
        # NumPy takes kernels by these. Source: numpy.org, "CPU/SIMD optimizations".
        "NPY_DISABLE_CPU_FEATURES",
        "NPY_ENABLE_CPU_FEATURES",
        "PYTORCH_ALLOC_CONF",
        "PYTORCH_CUDA_ALLOC_CONF",
        "PYTORCH_NO_CUDA_MEMORY_CACHING",
        "TIMM_FUSED_ATTN",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
        "TORCH_BLAS_PREFER_CUBLASLT",
        "TORCH_CUDNN_V8_API_DISABLED",
        "TORCH_LINALG_PREFER_CUSOLVER",
        "TORCH_ROCM_FA_PREFER_CK",
    ]
)
"""Single variables by which a user may choose another kernel. Source: each library's manual."""

PLACE_NAMES: Final = frozenset(["LD_PRELOAD", "DYLD_INSERT_LIBRARIES"])
"""Variables that put another library before those that compute; their values are places."""
