// SPDX-License-Identifier: Apache-2.0
#include "gradwire/exchange_thread.h"

#include <future>
#include <memory>
#include <utility>

#include "gradwire/error.h"

namespace gradwire {

template <typename T>
ExchangeThread<T>::ExchangeThread(Exchange<T>& exchange) : exchange_(exchange), thread_([this] { Run(); }) {}

template <typename T>
void ExchangeThread<T>::Push(const Round& round, const Bucket<T>& bucket,
                             std::function<void(std::exception_ptr)> done) {
  Enqueue({round, bucket, std::move(done), nullptr});
}

template <typename T>
void ExchangeThread<T>::Inspect(const std::function<void(Exchange<T>&)>& look) {
  const auto looked = std::make_shared<std::promise<void>>();  // shared: the caller may go on before set_value returns
  Job job;
  job.look = [this, look, looked] {
    try {
      look(exchange_);
      looked->set_value();
    } catch (...) {
      looked->set_exception(std::current_exception());
    }
  };
  Enqueue(std::move(job));
  looked->get_future().get();
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
}

template <typename T>
void ExchangeThread<T>::Run() {
  for (;;) {
    if (std::optional<Job> job = Next()) {
      if (job->look) {
        while (!started_.empty()) FinishOldest();
        job->look();
      } else {
        Begin(*job);
      }
    } else if (!started_.empty()) {
      FinishOldest();
    } else {
      return;
    }
  }
}

template <typename T>
std::optional<typename ExchangeThread<T>::Job> ExchangeThread<T>::Next() {
  std::unique_lock lock(mutex_);
  if (started_.empty()) wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
  if (queue_.empty()) return std::nullopt;
  std::optional<Job> job(std::move(queue_.front()));
  queue_.pop_front();
  return job;
}

template <typename T>
void ExchangeThread<T>::Begin(Job& job) {
  if (!failure_) {
    try {
      const auto id = exchange_.Start(job.round, job.bucket);
      started_.push_back({id, std::move(job.done)});
      return;
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  job.done(failure_);
}

template <typename T>
void ExchangeThread<T>::FinishOldest() {
  Started oldest = std::move(started_.front());
  started_.pop_front();
  if (!failure_) {
    try {
      exchange_.Finish(oldest.id);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  oldest.done(failure_);
}

template class ExchangeThread<float>;
template class ExchangeThread<double>;

}  // namespace gradwire
