from __future__ import annotations

import pytest

from cxr.config.record_name import require_record_name
from cxr.errors import UsageError
from cxr.integrations import RunRecorder


@pytest.mark.parametrize("name", ["command", "a", "3-x_y.z", "a" * 64])
def test_a_name_that_a_config_may_have_is_taken(name):
    require_record_name(name, where="--name")


@pytest.mark.parametrize("name", ["", "../../zz", "a/b", ".a", "-a", "a b", "a\n", "a" * 65, "é"])
def test_another_is_refused_also_by_a_recorder(name):
    with pytest.raises(UsageError, match="no name"):
        require_record_name(name, where="--name")
    with pytest.raises(UsageError, match="no name"):
        RunRecorder(name=name)
