// SPDX-License-Identifier: Apache-2.0
#include "c10d/coalescing.h"

#include <algorithm>
#include <utility>

namespace gradwire {
namespace {

/// A work that is done when all of several works are.
class AllWorks final : public c10d::Work {
 public:
  explicit AllWorks(std::vector<Coalescing::Work> works)
      : Work(-1, c10d::OpType::COALESCED), works_(std::move(works)) {}

  bool isCompleted() override {
    return std::ranges::all_of(works_, [](const auto& work) { return work->isCompleted(); });
  }
  bool isSuccess() const override {
    return std::ranges::all_of(works_, [](const auto& work) { return work->isSuccess(); });
  }
  std::exception_ptr exception() const override {
    for (const auto& work : works_)
      if (const auto error = work->exception()) return error;
    return nullptr;
  }
  bool wait(std::chrono::milliseconds timeout) override {
    for (const auto& work : works_)
      if (!work->wait(timeout)) return false;
    return true;
  }
  void synchronize() override {
    for (const auto& work : works_) work->synchronize();
  }

 private:
  const std::vector<Coalescing::Work> works_;
};

}  // namespace

bool Coalescing::Supported(const InnerBackends& inner) {
  return std::ranges::any_of(inner.all(), [](const auto& backend) { return backend->supportsCoalescing(); });
}

void Coalescing::Start(const InnerBackends& inner) {
  const std::lock_guard lock(mutex_);
  starter_ = std::this_thread::get_id();
  coalescing_.clear();
  kept_.clear();
  if (inner.single()) return inner.main().startCoalescing();
  for (const auto& backend : inner.all())
    if (backend->supportsCoalescing()) coalescing_.push_back(backend.get());
  if (coalescing_.empty()) inner.Single("startCoalescing");  // throws: no inner backend supports it
  for (c10d::Backend* backend : coalescing_) backend->startCoalescing();
}

Coalescing::Work Coalescing::Keep(c10d::Backend& backend, Work work) {
  const std::lock_guard lock(mutex_);
  if (!coalescing_.empty() && starter_ == std::this_thread::get_id() && !std::ranges::count(coalescing_, &backend))
    kept_.push_back(work);
  return work;
}

Coalescing::Work Coalescing::End(const InnerBackends& inner) {
  if (inner.single()) return inner.main().endCoalescing();
  const std::lock_guard lock(mutex_);
  if (coalescing_.empty()) throw Error("gradwire's backend: endCoalescing was called without startCoalescing");
  std::vector<Work> works = std::exchange(kept_, {});
  std::erase_if(works, [](const Work& work) { return work->isCompleted(); });  // Gloo's cannot be waited for twice
  for (c10d::Backend* backend : std::exchange(coalescing_, {}))
    if (Work work = backend->endCoalescing()) works.push_back(std::move(work));
  if (works.size() > 1) return c10::make_intrusive<AllWorks>(std::move(works));
  return works.empty() ? nullptr : works[0];
}

}  // namespace gradwire
