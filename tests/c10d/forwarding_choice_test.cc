// SPDX-License-Identifier: Apache-2.0
// Which of several inner backends a call reaches. The meta device stands for an accelerator's: its tensors need none.
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "c10d/backend_calls.h"
#include "gradwire/error.h"

namespace gradwire::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

class ForwardingChoice : public ::testing::Test {
 protected:
  using Recorder = c10::intrusive_ptr<RecordingBackend>;

  static Recorder Record(const std::string& name, int rank = 1, int size = 3) {
    return c10::make_intrusive<RecordingBackend>(name, rank, size);
  }

  const Recorder cpu_ = Record("of-cpu");
  const Recorder meta_ = Record("of-meta");
  const BackendPtr backend_ = MakeForwardingBackend({{at::kCPU, cpu_}, {at::kMeta, meta_}});
};

TEST_F(ForwardingChoice, ACallReachesTheBackendsThatItIsFor) {
  for (const at::DeviceType type : {at::kCPU, at::kMeta}) {
    Arguments arguments(type);
    for (const Call& call : Calls()) {
      SCOPED_TRACE(call.name);
      if (call.who == For::kThoseThatCan) continue;
      if (call.who == For::kUnclear) {
        EXPECT_THROW(call.make(*backend_, arguments), Error);
      } else if (call.who == For::kNone) {
        EXPECT_EQ(call.make(*backend_, arguments), Answered(false));
      } else {
        call.make(*backend_, arguments);
      }
      const bool device = call.who == For::kDevice, all = call.who == For::kAll, main = call.who == For::kMain;
      EXPECT_EQ(cpu_->calls.size(), all || (device && type == at::kCPU) ? 1 : 0);
      EXPECT_EQ(meta_->calls.size(), all || main || (device && type == at::kMeta) ? 1 : 0);
      for (const Recorder& inner : {cpu_, meta_}) inner->calls.clear();
    }
  }
}

struct OpenWork : c10d::Work {
  bool isCompleted() override { return done; }
  bool wait(std::chrono::milliseconds) override { return done = true; }
  bool done = false;
};

TEST_F(ForwardingChoice, CoalescingIsForThoseThatCanAndItsEndWaitsForTheOthersToo) {
  cpu_->yes = false;
  const auto of_cpu = c10::make_intrusive<OpenWork>(), of_meta = c10::make_intrusive<OpenWork>();
  cpu_->work = of_cpu;
  meta_->work = of_meta;
  Tensors on_cpu{at::zeros({1})}, on_meta{at::zeros({1}, at::kMeta)};
  EXPECT_TRUE(backend_->supportsCoalescing());
  backend_->send(on_cpu, 0, 0);  // before the start: its Work is the caller's alone
  for (const bool both : {true, false}) {
    cpu_->calls.clear();
    meta_->calls.clear();
    backend_->startCoalescing();
    backend_->recv(on_meta, 0, 0);
    if (both) {
      EXPECT_EQ(backend_->recv(on_cpu, 0, 0), of_cpu);
    }
    const Work end = backend_->endCoalescing();
    EXPECT_THAT(meta_->calls,
                ElementsAre("supportsCoalescing()", "startCoalescing()", StartsWith("recv("), "endCoalescing()"));
    EXPECT_EQ(end == of_meta, !both) << "the inner backend's own Work where there is no other";
    of_meta->done = true;
    EXPECT_EQ(end->isCompleted(), !both);
    end->wait();
    EXPECT_EQ(of_cpu->done, both);
    of_cpu->done = of_meta->done = false;
  }
  EXPECT_THROW(backend_->endCoalescing(), Error);
  meta_->yes = false;
  EXPECT_FALSE(backend_->supportsCoalescing());
  EXPECT_THROW(backend_->startCoalescing(), Error);
}

TEST_F(ForwardingChoice, WhatAnotherThreadDoesOrHasWaitedForIsNotCoalesced) {
  cpu_->yes = false;
  const auto of_cpu = c10::make_intrusive<OpenWork>(), of_meta = c10::make_intrusive<OpenWork>();
  cpu_->work = of_cpu;
  meta_->work = of_meta;
  Tensors on_cpu{at::zeros({1})};
  backend_->startCoalescing();
  std::thread([&] { backend_->recv(on_cpu, 0, 0); }).join();
  EXPECT_EQ(backend_->endCoalescing(), of_meta);
  backend_->startCoalescing();
  backend_->recv(on_cpu, 0, 0)->wait();  // a second wait for a message of Gloo's would not end
  EXPECT_EQ(backend_->endCoalescing(), of_meta);
}

TEST_F(ForwardingChoice, ABackendThatServesTwoTypesOfDeviceIsCalledOnce) {
  const BackendPtr backend = MakeForwardingBackend({{at::kCPU, cpu_}, {at::kMeta, cpu_}});
  for (const at::DeviceType type : {at::kCPU, at::kMeta}) {
    Arguments arguments(type);
    for (const Call& call : Calls()) {
      call.make(*backend, arguments);
      EXPECT_THAT(std::exchange(cpu_->calls, {}), ElementsAre(StartsWith(call.name + "(")));
    }
  }
}

TEST_F(ForwardingChoice, ADeviceThatIsNotServedIsAnErrorThatSaysWhatIs) {
  const BackendPtr backend = MakeForwardingBackend({{at::kCPU, cpu_}});
  Arguments arguments(at::kMeta);
  for (const Call& call : Calls()) {
    if (call.who != For::kDevice) continue;
    EXPECT_THAT([&] { call.make(*backend, arguments); },
                ThrowsMessage<Error>(AllOf(HasSubstr("rank 1 of 3"), HasSubstr(call.name + " was called for meta"),
                                           HasSubstr("serves cpu (of-cpu)"), HasSubstr("Move the tensors"))));
  }
  EXPECT_THAT(cpu_->calls, IsEmpty());
}

TEST_F(ForwardingChoice, ListsOnRanksThatAreNotTheRootMayBeEmpty) {
  Tensors tensors{at::zeros({1})}, none;
  TensorLists no_lists;
  backend_->gather(no_lists, tensors, {});
  backend_->scatter(tensors, no_lists, {});
  EXPECT_EQ(cpu_->calls.size(), 2);
  EXPECT_THAT(meta_->calls, IsEmpty());
  cpu_->calls.clear();
  backend_->broadcast(none, {});  // wrong in any backend; the main one says so
  EXPECT_THAT(cpu_->calls, IsEmpty());
  EXPECT_EQ(meta_->calls.size(), 1);
}

TEST_F(ForwardingChoice, ABarrierIsOfTheDeviceThatPythonsBarrierChooses) {
  const auto reached = [this](const BackendPtr& backend, const c10d::BarrierOptions& options) {
    const Work work = backend->barrier(options);
    return work == cpu_->barrier({}) ? "cpu" : "meta";
  };
  c10d::BarrierOptions options;
  options.device_ids = {0};
  EXPECT_STREQ(reached(backend_, {}), "cpu");
  EXPECT_STREQ(reached(MakeForwardingBackend({{at::kMeta, meta_}}), {}), "meta");
  EXPECT_STREQ(reached(backend_, options), "meta");
  backend_->setBoundDeviceId(at::Device(at::kMeta, 0));
  EXPECT_STREQ(reached(backend_, {}), "meta");
  options.device = at::Device(at::kCPU);
  EXPECT_STREQ(reached(backend_, options), "cpu");
  backend_->monitoredBarrier({}, true);
  EXPECT_THAT(cpu_->calls.back(), StartsWith("monitoredBarrier"));
}

TEST_F(ForwardingChoice, AProcessGroupDropsTheDeviceOfABarrier) {  // where this changes, ForBarrier may be simpler
  const auto group = c10::make_intrusive<c10d::ProcessGroup>(/*rank=*/1, /*size=*/3);
  group->setBackend(at::kCPU, c10d::ProcessGroup::BackendType::CUSTOM, backend_);
  group->setDefaultBackend("gradwire");
  c10d::BarrierOptions options;
  options.timeout = std::chrono::milliseconds(123);
  options.device = at::Device(at::kCPU);
  group->barrier(options);
  EXPECT_EQ(cpu_->barrier_options.timeout, options.timeout);
  EXPECT_EQ(cpu_->barrier_options.device, std::nullopt);
}

TEST_F(ForwardingChoice, AnErrorOfOneBackendKeepsACallFromNoOtherAndIsThrown) {
  cpu_->fails = "abort";
  EXPECT_THAT([&] { backend_->abort(); }, ThrowsMessage<std::runtime_error>(HasSubstr("of-cpu's abort fails")));
  EXPECT_THAT(cpu_->calls, ElementsAre("abort()"));
  EXPECT_THAT(meta_->calls, ElementsAre("abort()"));
}

TEST_F(ForwardingChoice, AnswersOfSeveralBackendsAreTakenTogether) {
  cpu_->sequence = 2;
  meta_->sequence = 5;
  EXPECT_EQ(backend_->getSequenceNumberForGroup(), 7);
  EXPECT_EQ(backend_->getError(), c10d::ErrorType::SUCCESS);
  meta_->error = c10d::ErrorType::TIMEOUT;
  EXPECT_EQ(backend_->getError(), c10d::ErrorType::TIMEOUT);
  EXPECT_TRUE(backend_->supportsTensorAlloc(0));
  cpu_->yes = false;
  EXPECT_FALSE(backend_->supportsTensorAlloc(0));
#ifdef GRADWIRE_BACKEND_2_15
  EXPECT_FALSE(backend_->isInitialized());
#endif
}

TEST_F(ForwardingChoice, InnerBackendsThatDoNotFitAreRefused) {
  const auto refused = [](auto inner, const std::string& why) {
    EXPECT_THAT([&] { MakeForwardingBackend(inner); }, ThrowsMessage<ConfigError>(HasSubstr(why)));
  };
  using Inner = std::vector<std::pair<c10::DeviceType, BackendPtr>>;
  refused(Inner{}, "none is given");
  refused(Inner{{at::kCPU, nullptr}}, "for cpu is null");
  refused(Inner{{at::kCPU, cpu_}, {at::kCPU, meta_}}, "two inner ones for cpu");
  refused(Inner{{at::kCPU, cpu_}, {at::kMeta, Record("other", 0, 3)}}, "for meta is rank 0 of 3");
}

}  // namespace
}  // namespace gradwire::testing
