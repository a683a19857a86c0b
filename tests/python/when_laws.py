# SPDX-License-Identifier: Apache-2.0
"""Laws of `when=`: whether compression pays, whose answer all ranks share and saves keep. attach_laws.py runs them.

What pays over this link is its own matter; topk:100% sends more than dense gradients, so that it never does."""

import torch.distributed as dist

import gradwire
from laws import backward, gradients, law, make_ddp, raises, same, train

NEVER = dict(method="ef", compressor="topk:100%", start_iter=0)


def everywhere(value):
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


@law
def all_ranks_have_one_answer_and_its_reasons():
    with gradwire.attach(make_ddp()) as handle:
        stats = handle.stats()
        assert stats["when"] in ("compress", "dense") and "dense gradients" in stats["reason"], stats
        assert len(set(everywhere(stats["when"] + stats["reason"]))) == 1
        assert stats["reducer"] == ("ddp" if stats["when"] == "dense" else "gradwire")
        assert handle.name == ("gradwire: none, identity" if stats["when"] == "dense" else "gradwire: ef, sign")


@law
def who_names_a_method_or_an_operator_gets_it():
    for named in (dict(method="ef"), dict(compressor="sign"), dict(when="always"), NEVER):
        with gradwire.attach(make_ddp(), **named) as handle:
            assert handle.stats()["when"] == "always" and handle.stats()["reducer"] == "gradwire", named


@law
def where_compression_would_lose_ddp_reduces_by_itself():
    plain, ddp = make_ddp(), make_ddp()
    with gradwire.attach(ddp, when="pays", **NEVER) as handle:
        for step in range(4):
            for each in (plain, ddp):
                backward(each, step)
            assert same(gradients(plain), gradients(ddp)), f"step {step}"
        stats, state = handle.stats(), handle.state_dict()
        assert stats["when"] == "dense" and stats["reducer"] == "ddp" and "stay dense" in stats["reason"]
        assert state["settings"].startswith("method: none\n") and state["topology"] == "allreduce" and state["step"] == 4


def saved(**settings):
    """The state after three steps, the weights then, and those three steps later."""
    ddp = make_ddp()
    with gradwire.attach(ddp, **settings) as handle:
        train(ddp, 3)
        state, weights = handle.state_dict(), [p.detach().clone() for p in ddp.parameters()]
        train(ddp, 3, first=3)
    return state, weights, [p.detach().clone() for p in ddp.parameters()]


@law
def a_resumed_run_keeps_the_answer_and_the_bits():
    compressed, dense = saved(**NEVER), saved(method="none")
    ddp = make_ddp()
    with gradwire.attach(ddp, when="pays", **NEVER) as handle:
        train(ddp, 1)  # DDP's own
        for (state, weights, later), word, reducer in ((compressed, "compress", "gradwire"), (dense, "dense", "gradwire"), (compressed, "compress", "gradwire")):
            for parameter, value in zip(ddp.parameters(), weights):
                parameter.data.copy_(value)
            handle.load_state_dict(state)
            train(ddp, 3, first=3)
            assert same(list(ddp.parameters()), later), word
            stats = handle.stats()
            assert (stats["when"], stats["reducer"]) == (word, reducer) and "the save" in stats["reason"]
            assert stats["pushes"] == 3 * len(stats["buckets"]), "what was exchanged since"
            assert handle.state_dict()["settings"] == state["settings"] and handle.state_dict()["step"] == 6


@law
def a_save_of_dense_gradients_leaves_ddp_its_own_reduction():
    state, weights, later = saved(when="pays", **NEVER)
    ddp = make_ddp()
    with gradwire.attach(ddp, when="pays", **NEVER) as handle:
        backward(ddp, 0)  # DDP orders its buckets by its first pass, and a ring's sums depend on their layout
        for parameter, value in zip(ddp.parameters(), weights):
            parameter.data.copy_(value)
        handle.load_state_dict(state)
        train(ddp, 3, first=3)
        assert same(list(ddp.parameters()), later)
        assert handle.stats()["reducer"] == "ddp"


@law
def a_state_of_something_else_is_refused_before_anything_changes():
    other, _, _ = saved(method="ef21", compressor="topk:10%")
    plain, ddp = make_ddp(), make_ddp()
    with gradwire.attach(ddp, when="pays", **NEVER) as handle:
        raises(gradwire.Error, ["the saved memory is of something else", "method"], lambda: handle.load_state_dict(other))
        for each in (plain, ddp):
            backward(each, 0)
        assert same(gradients(plain), gradients(ddp))
        assert handle.stats()["when"] == "dense" and handle.stats()["reducer"] == "ddp"


@law
def method_none_has_one_answer():
    ddp = make_ddp()
    with gradwire.attach(ddp, method="none", when="pays") as handle:
        backward(ddp, 0)
        handle.load_state_dict(handle.state_dict())
        backward(ddp, 1)
        assert handle.stats()["when"] == "dense" and handle.stats()["reducer"] == "ddp"


@law
def ranks_that_ask_and_ranks_that_do_not_are_refused_with_the_difference():
    when = "pays" if dist.get_rank() == 0 else "always"
    raises(gradwire.ConfigError, ["rank 1 runs with other settings than rank 0", "comm.when: pays"],
           lambda: gradwire.attach(make_ddp(), "ef", "sign", when=when, timeout_s=20))  # fmt: skip


@law
def what_cannot_be_asked_is_refused():
    raises(gradwire.ConfigError, ["comm.when", "found 'sometimes'", "one of auto, always, pays"], lambda: gradwire.attach(make_ddp(), when="sometimes"))
    raises(gradwire.ConfigError, ["comm.when", "comm.noise is 1"], lambda: gradwire.attach(make_ddp(), "dcgd", "clip:1", when="pays", noise=1.0))
    raises(gradwire.ConfigError, ["when", "intercept"], lambda: gradwire.configure(intercept="allreduce", when="pays"))
    gradwire.configure()
