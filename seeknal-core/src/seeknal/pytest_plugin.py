"""What pytest loads wherever Seeknal is installed: it makes the suites' asserts tell values."""

import pytest

pytest.register_assert_rewrite("seeknal.testing")
