// SPDX-License-Identifier: Apache-2.0
#include "c10d/bounded_store.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <type_traits>

#include <c10/util/Exception.h>

#include "c10d/torch_error.h"

namespace gradwire {
namespace {

using std::chrono::milliseconds;

/// For what the server says once a wait is over.
constexpr milliseconds kLastWord{5000};

/// Who is to blame, as the subject of a sentence.
std::string Server(const Membership& member) {
  if (member.store_rank < 0) return "the job's store";
  return "rank " + std::to_string(member.store_rank) + ", which serves the job's store,";
}

}  // namespace

struct Calls::Shared {
  std::mutex mutex;
  std::condition_variable more;
  std::deque<std::function<void()>> queue;
  int overdue = 0;
  bool is_started = false, is_closed = false;
};

Calls::Calls() : shared_(std::make_shared<Shared>()) {}

Calls::~Calls() {
  const std::lock_guard lock(shared_->mutex);
  shared_->is_closed = true;
  shared_->more.notify_all();
}

void Calls::Run(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->more.wait(lock, [&] { return shared->is_closed || !shared->queue.empty(); });
    if (shared->queue.empty()) return;
    std::function<void()> call = std::move(shared->queue.front());
    shared->queue.pop_front();
    lock.unlock();
    call();
    lock.lock();
  }
}

bool Calls::Make(milliseconds limit, std::function<void()> call) {
  struct State {
    bool is_over = false, is_late = false;  // guarded by the mutex
    std::condition_variable ended;
  };
  const auto state = std::make_shared<State>();
  const auto shared = shared_;
  std::unique_lock lock(shared->mutex);
  if (shared->overdue > 0) return false;
  shared->queue.push_back([state, call = std::move(call), weak = std::weak_ptr(shared)]() mutable {
    call();
    call = nullptr;                   // what it holds shall not end here, while the caller goes on
    const auto shared = weak.lock();  // the thread holds it
    const std::lock_guard lock(shared->mutex);
    state->is_over = true;
    if (state->is_late) --shared->overdue;
    state->ended.notify_all();
  });
  if (!std::exchange(shared->is_started, true)) std::thread([shared] { Run(shared); }).detach();
  shared->more.notify_one();
  if (state->ended.wait_for(lock, limit, [&] { return state->is_over; })) return true;
  state->is_late = true;
  ++shared->overdue;
  return false;
}

/// `call` must own all that it uses.
template <typename Call>
auto BoundedStore::Within(milliseconds limit, Call call) {
  const auto task = std::make_shared<std::packaged_task<std::invoke_result_t<Call>()>>(std::move(call));
  const std::string who = ", says rank " + std::to_string(member_.rank);
  if (!calls_.Make(limit, [task] { (*task)(); }))
    throw StoreSilent(member_.store_rank,
                      Server(member_) + " has not answered for " + std::to_string(limit.count()) + " ms" + who);
  try {
    return task->get_future().get();
  } catch (const c10::DistNetworkError& error) {
    throw PeerError(member_.store_rank, Server(member_) + " is gone" + who + " (" + FirstLine(error) + ")");
  }
}

template <typename Call>
auto BoundedStore::Ask(milliseconds limit, Call call) {
  return Within(limit, [store = store_, call] { return call(*store); });
}

BoundedStore::BoundedStore(const Membership& member, milliseconds limit)
    : Store(member.store->getTimeout()),
      member_(member),
      limit_(limit),
      last_word_(std::min(limit, kLastWord)),
      store_(member.store) {}

BoundedStore::BoundedStore(const Membership& member, milliseconds limit,
                           const std::function<c10::intrusive_ptr<c10d::Store>()>& reach)
    : Store(limit), member_(member), limit_(limit), last_word_(std::min(limit, kLastWord)) {
  store_ = Within(limit + last_word_, reach);
}

c10::intrusive_ptr<BoundedStore> BoundedStore::Clone(milliseconds limit) {
  Membership member = member_;
  member.store = Ask(limit_, [](c10d::Store& store) { return store.clone(); });
  return c10::make_intrusive<BoundedStore>(member, limit);
}

c10::intrusive_ptr<c10d::Store> BoundedStore::clone() { return Clone(limit_); }

void BoundedStore::set(const std::string& key, const std::vector<uint8_t>& value) {
  Ask(limit_, [=](Store& store) { store.set(key, value); });
}

std::vector<uint8_t> BoundedStore::compareSet(const std::string& key, const std::vector<uint8_t>& expected,
                                              const std::vector<uint8_t>& desired) {
  return Ask(limit_, [=](Store& store) { return store.compareSet(key, expected, desired); });
}

std::vector<uint8_t> BoundedStore::get(const std::string& key) {
  return Ask(getTimeout() + last_word_, [=](Store& store) { return store.get(key); });
}

int64_t BoundedStore::add(const std::string& key, int64_t value) {
  return Ask(limit_, [=](Store& store) { return store.add(key, value); });
}

bool BoundedStore::deleteKey(const std::string& key) {
  return Ask(limit_, [=](Store& store) { return store.deleteKey(key); });
}

bool BoundedStore::check(const std::vector<std::string>& keys) {
  return Ask(limit_, [=](Store& store) { return store.check(keys); });
}

int64_t BoundedStore::getNumKeys() {
  return Ask(limit_, [](Store& store) { return store.getNumKeys(); });
}

void BoundedStore::wait(const std::vector<std::string>& keys) { wait(keys, getTimeout()); }

void BoundedStore::wait(const std::vector<std::string>& keys, const milliseconds& timeout) {
  Ask(timeout + last_word_, [=](Store& store) { store.wait(keys, timeout); });
}

void BoundedStore::append(const std::string& key, const std::vector<uint8_t>& value) {
  Ask(limit_, [=](Store& store) { store.append(key, value); });
}

std::vector<std::vector<uint8_t>> BoundedStore::multiGet(const std::vector<std::string>& keys) {
  return Ask(getTimeout() + last_word_, [=](Store& store) { return store.multiGet(keys); });
}

void BoundedStore::multiSet(const std::vector<std::string>& keys, const std::vector<std::vector<uint8_t>>& values) {
  Ask(limit_, [=](Store& store) { store.multiSet(keys, values); });
}

bool BoundedStore::hasExtendedApi() const { return store_->hasExtendedApi(); }

const milliseconds& BoundedStore::getTimeout() const noexcept { return store_->getTimeout(); }

void BoundedStore::setTimeout(const milliseconds& timeout) { store_->setTimeout(timeout); }

Membership WithBoundedStore(Membership member) {
  if (dynamic_cast<BoundedStore*>(member.store.get()) == nullptr)
    member.store = c10::make_intrusive<BoundedStore>(member, member.timeout);
  return member;
}

}  // namespace gradwire
