// SPDX-License-Identifier: Apache-2.0
// Push and Inspect put jobs into a queue. The thread (Run) takes them out in order, as soon as Next allows, and
// starts the bucket. What the bucket then waits for is waited for on a thread of Waiters, whose end comes back as an
// Arrival; the thread resumes the bucket, which waits once more or is answered (AwaitOrAnswer). So this thread waits
// for no peer. Starting goes before resuming: what is on the wire early, comes early. The first failure ends all waits,
// and answers every bucket, also later ones (Fail).
#include "gradwire/exchange_thread.h"

#include <algorithm>
#include <future>
#include <utility>
#include <vector>

#include "base/start_thread.h"
#include "exchange/waiters.h"
#include "gradwire/error.h"

namespace gradwire {

template <typename T>
ExchangeThread<T>::ExchangeThread(Exchange<T>& exchange)
    : exchange_(exchange),
      waiters_(std::make_unique<Waiters>([this](const Waiters::Item& item) { Await(item.id, item.wait); })),
      thread_(StartThread("that exchanges gradients", [this] { Run(); })) {}

template <typename T>
ExchangeThread<T>::~ExchangeThread() {
  Close();
}

template <typename T>
void ExchangeThread<T>::Push(const Round& round, const Bucket<T>& bucket,
                             std::function<void(std::exception_ptr)> done) {
  Enqueue({round, bucket, std::move(done), nullptr});
}

template <typename T>
void ExchangeThread<T>::Inspect(const std::function<void(Exchange<T>&)>& visit) {
  const auto visited = std::make_shared<std::promise<void>>();  // shared: the caller may go on before set_value returns
  Job job;
  job.visit = [this, visit, visited] {
    try {
      visit(exchange_);
      visited->set_value();
    } catch (...) {
      visited->set_exception(std::current_exception());
    }
  };
  Enqueue(std::move(job));
  visited->get_future().get();
}

template <typename T>
void ExchangeThread<T>::Enqueue(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw Error("the exchange is closed: no bucket can be pushed any more");
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
}

template <typename T>
void ExchangeThread<T>::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  waiters_->Join();
}

/// The first one, if it may; or an inspection, where the first one is of a step that lacks buckets.
template <typename T>
std::optional<size_t> ExchangeThread<T>::Next() const {
  if (queue_.empty()) return std::nullopt;
  const Job& next = queue_.front();
  if (Lacks(next)) {
    const auto visit = std::ranges::find_if(queue_, [](const Job& job) { return job.visit != nullptr; });
    if (visit == queue_.end() || !under_way_.empty()) return std::nullopt;
    return static_cast<size_t>(visit - queue_.begin());
  }
  if (under_way_.empty()) return 0;
  if (next.visit || exchange_.takes_turns() || under_way_.size() >= kUnderWay || !HasRoomFor(next.bucket))
    return std::nullopt;
  const auto channel = channels_.find(next.round.channel);
  const bool is_free =
      channel == channels_.end() || channel->second.under_way == 0 || channel->second.step == next.round.step;
  return is_free ? std::optional<size_t>(0) : std::nullopt;
}

/// Whether buckets of its round are still to come that the operator must see first. Nobody waits for them at the end,
/// or where the next round has begun: the exchange then says what is missing.
template <typename T>
bool ExchangeThread<T>::Lacks(const Job& next) const {
  if (next.visit || closed_ || failure_) return false;
  const size_t wanted = exchange_.NumelToGather(next.round);
  if (wanted == 0) return false;
  if (const auto channel = channels_.find(next.round.channel); channel != channels_.end() && channel->second.shown > 0)
    return false;
  size_t there = 0;
  for (const Job& job : queue_) {
    if (IsOf(next.round, job))
      there += job.bucket.values.size();
    else if (!job.visit && job.round.channel == next.round.channel)
      return false;
  }
  return there < wanted;
}

template <typename T>
void ExchangeThread<T>::ShowModel(Job& first) {
  size_t& shown = channels_[first.round.channel].shown;
  if (shown == 0) {
    std::vector<Job*> round = {&first};
    {
      const std::lock_guard lock(mutex_);
      for (Job& job : queue_)
        if (IsOf(first.round, job)) round.push_back(&job);  // stays in its place: this thread alone takes them out
    }
    std::vector<Bucket<T>> buckets;
    for (Job* job : round) {
      if (job->bucket.fetch) job->bucket.fetch(), job->bucket.fetch = {};
      buckets.push_back(job->bucket), shown += job->bucket.values.size();
    }
    if (shown == exchange_.NumelToGather(first.round)) exchange_.ShowModel(first.round, buckets);
  }
  shown -= first.bucket.values.size();
}

/// Two buckets may always be under way: one is encoded while the other is on the wire.
template <typename T>
bool ExchangeThread<T>::HasRoomFor(const Bucket<T>& bucket) const {
  const size_t most = std::max(kMessageBytes, 2 * std::max(largest_bucket_, bucket.values.size_bytes()));
  return under_way_.size() < 2 || exchange_.BytesUnderWay() + largest_messages_ <= most;
}

template <typename T>
void ExchangeThread<T>::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock,
               [this] { return Next() || !arrivals_.empty() || (closed_ && queue_.empty() && under_way_.empty()); });
    if (const auto next = Next()) {
      const auto place = queue_.begin() + static_cast<std::ptrdiff_t>(*next);
      Job job = std::move(*place);
      queue_.erase(place);
      lock.unlock();
      Begin(std::move(job));
    } else if (!arrivals_.empty()) {
      const Arrival arrival = std::move(arrivals_.front());
      arrivals_.pop_front();
      lock.unlock();
      Resume(arrival);
    } else {
      return;
    }
    lock.lock();
  }
}

template <typename T>
void ExchangeThread<T>::Begin(Job job) {
  if (job.visit) return job.visit();
  if (failure_) return job.done(failure_);
  try {
    if (exchange_.NumelToGather(job.round) > 0) ShowModel(job);
    const size_t before = exchange_.BytesUnderWay();
    const Id id = exchange_.Start(job.round, job.bucket);
    largest_bucket_ = std::max(largest_bucket_, job.bucket.values.size_bytes());
    largest_messages_ = std::max(largest_messages_, exchange_.BytesUnderWay() - before);
    Channel& channel = channels_[job.round.channel];
    channel.step = job.round.step, ++channel.under_way;
    under_way_.emplace(id, Answer{std::exchange(job.done, nullptr), job.round.channel});
    AwaitOrAnswer(id);
  } catch (...) {
    Fail(std::current_exception());
    if (job.done) job.done(failure_);  // else it was among those under way
  }
}

template <typename T>
void ExchangeThread<T>::Resume(const Arrival& arrival) {
  if (failure_) return;  // Fail has answered this bucket
  try {
    if (arrival.failure) std::rethrow_exception(arrival.failure);
    exchange_.Advance(arrival.id, arrival.waited_s);
    AwaitOrAnswer(arrival.id);
  } catch (...) {
    Fail(std::current_exception());
  }
}

template <typename T>
void ExchangeThread<T>::AwaitOrAnswer(Id id) {
  const auto wait = exchange_.Pending(id);
  if (!wait) {
    const Answer answer = Take(id);
    return answer.done(nullptr);
  }
  waiters_->Do(under_way_.at(id).stage++, {id, *wait});
}

template <typename T>
void ExchangeThread<T>::Await(Id id, const BucketWait& wait) {
  Arrival arrival{id, 0, nullptr};
  try {
    arrival.waited_s = exchange_.Await(wait);
  } catch (...) {
    arrival.failure = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    arrivals_.push_back(std::move(arrival));
  }
  wake_.notify_one();
}

template <typename T>
typename ExchangeThread<T>::Answer ExchangeThread<T>::Take(Id id) {
  Answer answer = std::move(under_way_.extract(id).mapped());
  --channels_[answer.channel].under_way;
  return answer;
}

/// Answers all that are under way, and ends the waits for them.
template <typename T>
void ExchangeThread<T>::Fail(std::exception_ptr failure) {
  failure_ = std::move(failure);
  exchange_.Cancel();
  for (const auto& [id, answer] : std::exchange(under_way_, {})) answer.done(failure_);
}

template class ExchangeThread<float>;
template class ExchangeThread<double>;

}  // namespace gradwire
