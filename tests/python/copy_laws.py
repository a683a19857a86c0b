# SPDX-License-Identifier: Apache-2.0
"""Laws of copies, pickles and files of a DDP whose gradients are compressed. attach_laws.py runs them."""

import copy
import gc
import io
import pickle
import weakref

import torch
from torch.optim.swa_utils import AveragedModel

import gradwire
from laws import DEVICE, backward, gradients, law, make_ddp, raises, residuals, same, same_residuals, train


SCALER = torch.amp.GradScaler(DEVICE.type, enabled=False)  # handles do not keep theirs alive


def attach(ddp):
    return gradwire.attach(ddp, "ef", "topk:5%", start_iter=0, grad_scaler=SCALER, optimizer=torch.optim.SGD(ddp.parameters(), lr=0.05))


def register(ddp):
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05)
    handle = gradwire.CommState(ddp, "ef", "topk:5%", start_iter=0, optimizer=optimizer)
    ddp.register_comm_hook(handle, gradwire.comm_hook)
    return handle


def through_a_file(ddp):
    file = io.BytesIO()
    torch.save(ddp, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def copies_of(ddp):
    assert b"gradwire" not in pickle.dumps(ddp)
    return [copy.deepcopy(ddp), pickle.loads(pickle.dumps(ddp)), through_a_file(ddp), AveragedModel(ddp).module]


@law
def copies_and_files_of_a_ddp_are_those_of_a_plain_one_at_any_time():
    for door, steps in ((attach, 0), (attach, 3), (register, 3)):
        ddp, control = make_ddp(), make_ddp()
        with door(ddp) as handle, door(control) as other:
            for one in (ddp, control):
                train(one, steps)
            plain, *copies = make_ddp(copy.deepcopy(ddp.module)), *copies_of(ddp)
            for one in (plain, *copies):
                train(one, 3)
                assert gradwire.handle_of(one) is None
                assert same(gradients(one), gradients(plain)), f"{door.__name__}, a copy after {steps} steps"
            for one in (ddp, control):
                train(one, 3, first=steps)
            assert same(list(ddp.parameters()), list(control.parameters())) and same_residuals(residuals(handle), residuals(other))


@law
def a_shallow_copy_is_plain_beside_the_one_that_is_attached():
    ddp, control, plain = make_ddp(), make_ddp(), make_ddp()
    with attach(ddp) as handle, attach(control) as other:
        shallow = copy.copy(ddp)
        for one in (shallow, plain, ddp, control):
            backward(one, 0)
            if one is shallow:
                first = gradients(shallow)
        assert same(first, gradients(plain)) and same_residuals(residuals(handle), residuals(other))
        assert gradwire.handle_of(shallow) is None


@law
def a_copy_is_attached_like_any_other():
    for door in (attach, register):
        ddp = make_ddp()
        with door(ddp):
            train(ddp, 2)
            taken, fresh = copy.deepcopy(ddp), make_ddp(copy.deepcopy(ddp.module))
            results = []
            for one in (taken, fresh):
                with gradwire.attach(one, "ef", "topk:5%", start_iter=0) as handle:
                    train(one, 3)
                    results.append((residuals(handle), [p.detach().clone() for p in one.parameters()]))
            assert same_residuals(results[0][0], results[1][0]) and same(results[0][1], results[1][1])


@law
def the_handle_lives_as_long_as_the_ddp():
    ddp = make_ddp()
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05)
    optimizer.model = ddp  # as those of Lightning's strategies do, on a way or two
    handle = weakref.ref(gradwire.attach(ddp, "ec", "topk:5%", start_iter=0, optimizer=optimizer))
    train(ddp, 2)
    assert gradwire.handle_of(ddp) is handle()
    del ddp, optimizer
    gc.collect()
    assert handle() is None


@law
def a_handle_is_not_copied_and_says_what_is():
    with attach(make_ddp()) as handle:
        for take in (copy.copy, copy.deepcopy, pickle.dumps):
            raises(TypeError, ["handle", "state_dict()"], lambda: take(handle))
