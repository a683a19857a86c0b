# SPDX-License-Identifier: Apache-2.0
"""Laws of the C++ DistributedDataParallel with ranks as processes over Gloo; ddp_worker.cc checks them."""
import pytest
import ranks


def hold(size, law):
    for rank, (code, output) in enumerate(ranks.finish(ranks.start_ranks(size, [ranks.BUILD / "tests/gradwire_ddp_worker", law]))):
        assert code == 0, f"rank {rank} of {size}: {output}"


@pytest.mark.parametrize("size", [2, 3, 4])
def test_identity_gives_plain_ddp_bit_for_bit(size):
    hold(size, "identity")


@pytest.mark.parametrize("size", [2, 3])
def test_error_feedback_conserves_every_parameter_through_a_bucket_rebuild(size):
    hold(size, "conservation")


@pytest.mark.parametrize("size", [2, 3])
def test_counted_bytes_are_the_sockets_bytes(size):
    hold(size, "bytes")


@pytest.mark.parametrize("size", [2, 3])
def test_formats_may_change_parameters_be_frozen_and_gradients_sparse(size):
    hold(size, "parameters")
