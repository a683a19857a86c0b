// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "c10d/backend_calls.h"

namespace gradwire::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Recorder = c10::intrusive_ptr<RecordingBackend>;

/// Virtual functions that are not forwarded, and why.
const std::map<std::string, std::string>& NotForwarded() {
  static const std::map<std::string, std::string> reasons = {
      {"getBackendName", "it is gradwire's own"},
      {"supportsSplitting", "torch would then make children from the backend that are no gradwire ones"},
      {"supportsShrinking", "as supportsSplitting"},
      {"split", "its child is the inner backend's"},
      {"merge", "its child is the inner backend's"},
      {"shrink", "its child is the inner backend's"},
#ifdef GRADWIRE_BACKEND_2_14
      {"clone", "it is a function of Backend::Options"},
#endif
#ifndef GRADWIRE_BACKEND_2_15
      {"supportsTimeEstimation", "the functions that make the estimate are members of NCCL's class only"},
#endif
  };
  return reasons;
}

Recorder Record(const std::string& name, int rank = 1, int size = 3) {
  return c10::make_intrusive<RecordingBackend>(name, rank, size);
}

/// The names behind the keyword virtual, from the header itself, so that a torch that has one more makes a test fail.
std::set<std::string> VirtualFunctions() {
  std::ifstream file(GRADWIRE_BACKEND_HPP);
  EXPECT_TRUE(file) << GRADWIRE_BACKEND_HPP;
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::string code = std::regex_replace(text, std::regex("//[^\n]*"), "");
  const std::regex declaration("\\bvirtual\\b[^;{}(]*?(\\w+)\\s*\\(");
  std::set<std::string> names;
  for (std::sregex_iterator match(code.begin(), code.end(), declaration), end; match != end; ++match)
    names.insert((*match)[1]);
  return names;
}

TEST(ForwardingBackend, EveryVirtualFunctionOfTorchIsForwardedOrListedWithAReason) {
  std::set<std::string> listed;
  for (const Call& call : Calls()) EXPECT_TRUE(listed.insert(call.name).second) << call.name << " is listed twice";
  for (const auto& [name, reason] : NotForwarded()) EXPECT_TRUE(listed.insert(name).second) << name;
  EXPECT_THAT(VirtualFunctions(), ::testing::ContainerEq(listed))
      << "forward what torch has more and list it in backend_calls.h, or give the reason in NotForwarded()";
}

TEST(ForwardingBackend, ACallIsTheSameCallOfTheInnerBackendAndItsAnswer) {
  Arguments arguments(at::kCPU);
  for (const bool yes : {true, false}) {
    const Recorder inner = Record("inner");
    const BackendPtr backend = MakeForwardingBackend({{at::kCPU, inner}});
    inner->yes = yes;
    inner->error = yes ? c10d::ErrorType::SUCCESS : c10d::ErrorType::REMOTE_ERROR;
    for (const Call& call : Calls()) {
      const std::string answer = call.make(*inner, arguments);
      const std::vector<std::string> calls = std::exchange(inner->calls, {});
      ASSERT_THAT(calls, ElementsAre(StartsWith(call.name + "(")));
      EXPECT_EQ(call.make(*backend, arguments), answer) << call.name;
      EXPECT_EQ(std::exchange(inner->calls, {}), calls);
    }
  }
}

TEST(ForwardingBackend, AnErrorOfTheInnerBackendReachesTheCaller) {
  Arguments arguments(at::kCPU);
  const Recorder inner = Record("inner");
  const BackendPtr backend = MakeForwardingBackend({{at::kCPU, inner}});
  for (const Call& call : Calls()) {
    inner->fails = call.name;
    EXPECT_THROW(call.make(*backend, arguments), std::runtime_error) << call.name;
  }
}

TEST(ForwardingBackend, WhatIsNotForwardedDoesNotReachTheInnerBackend) {
  const Recorder inner = Record("inner");
  const BackendPtr backend = MakeForwardingBackend({{at::kCPU, inner}});
  EXPECT_EQ(backend->getBackendName(), "gradwire");
  EXPECT_FALSE(backend->supportsSplitting());
  EXPECT_FALSE(backend->supportsShrinking());
  EXPECT_THROW(backend->split(nullptr, {0}, nullptr), c10::Error);
  EXPECT_THROW(backend->merge(nullptr, nullptr, 0, 1), c10::Error);
  EXPECT_THROW(backend->shrink({0}, 0, nullptr), c10::Error);
  EXPECT_THAT(inner->calls, IsEmpty());
}

TEST(ForwardingBackend, WhatIsNotVirtualAgreesWithTheInnerBackend) {
  const Recorder inner = Record("inner", 2, 5);
  const BackendPtr backend = MakeForwardingBackend({{at::kCPU, inner}});
  EXPECT_EQ(backend->getRank(), 2);
  EXPECT_EQ(backend->getSize(), 5);
  backend->setGroupUid("17");
  EXPECT_EQ(backend->getGroupUid(), "17");
  EXPECT_FALSE(backend->hasHooks());
  backend->registerOnCompletionHook(MarkedHook{});
  EXPECT_TRUE(backend->hasHooks());
#ifdef C10D_BACKEND_HAS_RECONFIGURE
  inner->rank_after_reconfigure = 0;
  inner->size_after_reconfigure = 4;
  backend->reconfigure({});
  EXPECT_EQ(backend->getRank(), 0);
  EXPECT_EQ(backend->getSize(), 4);
#endif
}

#ifdef GRADWIRE_BACKEND_2_14
/// Backends that override only one of the two names of an operation, as Gloo has the new ones and nccl2 the old ones.
struct OldName : c10d::Backend {
  OldName() : Backend(0, 1) {}
  Work _allgather_base(at::Tensor&, at::Tensor&, const c10d::AllgatherOptions&) override { return work; }
  Work work = c10::make_intrusive<c10d::Work>();
};
struct NewName : c10d::Backend {
  explicit NewName(c10::intrusive_ptr<OldName> next) : Backend(0, 1), next_(std::move(next)) {}
  Work all_gather_single(at::Tensor& output, at::Tensor& input, const c10d::AllgatherOptions& options) override {
    return next_->all_gather_single(output, input, options);
  }
  c10::intrusive_ptr<OldName> next_;
};

TEST(ForwardingBackend, EitherNameReachesABackendThatHasOnlyOneOfThem) {
  at::Tensor tensor = at::zeros({1});
  const auto old_name = c10::make_intrusive<OldName>();
  const auto new_name = c10::make_intrusive<NewName>(old_name);
  for (const BackendPtr& inner : {BackendPtr(old_name), BackendPtr(new_name)}) {
    const BackendPtr backend = MakeForwardingBackend({{at::kCPU, inner}});
    EXPECT_EQ(backend->all_gather_single(tensor, tensor), old_name->work);
    EXPECT_EQ(backend->_allgather_base(tensor, tensor), old_name->work);
  }
}
#endif

}  // namespace
}  // namespace gradwire::testing
