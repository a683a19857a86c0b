// SPDX-License-Identifier: Apache-2.0
#include "driver/workers.h"

#include <future>
#include <memory>
#include <string>

#include "gradwire/error.h"
#include "message/bucket_plan.h"

namespace gradwire {
namespace {

/// Notes the buckets of a gradient, which stay as they are.
template <typename T>
class NoteSink final : public BucketSink<T> {
 public:
  void Push(const Round&, const Bucket<T>& bucket, std::function<void(std::exception_ptr)> done) override {
    buckets.push_back(bucket);
    done(nullptr);
  }
  std::vector<Bucket<T>> buckets;
};

}  // namespace

template <typename T>
void OneWorker<T>::Exchange(const Round& round, std::span<std::vector<T>> vectors) {
  std::vector<std::vector<Segment>> layout;
  size_t filled = bucket_bytes_;
  std::vector<size_t> ends;  // of the buckets, in elements
  for (const Segment& segment : AllSegments(objective_.parameters())) {
    if (filled >= bucket_bytes_) layout.emplace_back(), ends.push_back(segment.offset), filled = 0;
    layout.back().push_back({segment.parameter, filled / sizeof(T), segment.numel});
    filled += segment.numel * sizeof(T), ends.back() += segment.numel;
  }
  std::vector<std::future<void>> done;
  for (uint32_t b = 0; b < layout.size(); ++b) {
    const auto promise = std::make_shared<std::promise<void>>();
    done.push_back(promise->get_future());
    const size_t begin = b == 0 ? 0 : ends[b - 1];
    const std::span<T> values(vectors[0].data() + begin, ends[b] - begin);
    sink_.Push(round, {b, layout[b], values}, [promise](std::exception_ptr failure) {
      failure ? promise->set_exception(failure) : promise->set_value();
    });
  }
  for (std::future<void>& bucket : done) bucket.wait();  // all, before an exception takes their memory away
  for (std::future<void>& bucket : done) bucket.get();
}

template <typename T>
void AllWorkers<T>::Gradients(const Round& round) {
  std::vector<NoteSink<T>> sinks(size());
  ForEach([&](size_t worker) { objectives_[worker]->Gradient(round, sinks[worker]); });
  const size_t count = sinks[0].buckets.size();
  for (const NoteSink<T>& sink : sinks)
    if (sink.buckets.size() != count)
      throw Error("workers' gradients came in " + std::to_string(count) + " and " +
                  std::to_string(sink.buckets.size()) + " buckets, expected as many of each");
  std::vector<Bucket<T>> buckets(size());
  for (size_t b = 0; b < count; ++b) {
    for (size_t worker = 0; worker < size(); ++worker) buckets[worker] = sinks[worker].buckets[b];
    exchange_.Exchange(round, buckets);
  }
}

template <typename T>
void AllWorkers<T>::Exchange(const Round& round, std::span<std::vector<T>> vectors) {
  const std::vector<Segment> segments = AllSegments(objectives_[0]->parameters());
  std::vector<Bucket<T>> buckets;
  for (std::vector<T>& vector : vectors) buckets.push_back({0, segments, vector});
  exchange_.Exchange(round, buckets);
}

template class OneWorker<float>;
template class OneWorker<double>;
template class AllWorkers<float>;
template class AllWorkers<double>;

}  // namespace gradwire
