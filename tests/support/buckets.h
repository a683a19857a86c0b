// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "gradwire/bucket.h"

namespace gradwire::testing {

/// Which parameters share a bucket, and in which order.
using Layout = std::vector<std::vector<uint32_t>>;

/// Each parameter in a bucket of its own.
inline Layout OneEach(const std::vector<Parameter>& parameters) {
  Layout layout;
  for (uint32_t p = 0; p < parameters.size(); ++p) layout.push_back({p});
  return layout;
}

/// All parameters in one bucket.
inline Layout OneBucket(const std::vector<Parameter>& parameters) {
  Layout layout(1);
  for (uint32_t p = 0; p < parameters.size(); ++p) layout[0].push_back(p);
  return layout;
}

/// One rank's gradients of a step, in buckets.
template <typename T>
class Buckets {
 public:
  Buckets(const std::vector<Parameter>& parameters, const Layout& layout) : places_(parameters.size()) {
    for (const std::vector<uint32_t>& members : layout) {
      Stored& bucket = stored_.emplace_back();
      for (const uint32_t p : members) {
        const size_t numel = parameters[p].numel();
        places_[p] = {stored_.size() - 1, bucket.values.size(), numel};
        bucket.segments.push_back({p, bucket.values.size(), numel});
        bucket.values.resize(bucket.values.size() + numel);
      }
    }
  }

  size_t size() const { return stored_.size(); }

  /// A parameter's gradient, or its result.
  std::span<T> Of(uint32_t parameter) {
    const Place& place = places_[parameter];
    return std::span(stored_[place.bucket].values).subspan(place.offset, place.numel);
  }

  Bucket<T> At(size_t i) { return {static_cast<uint32_t>(i), stored_[i].segments, stored_[i].values}; }

  /// Hands all buckets over, then waits for all of them.
  void Exchange(BucketSink<T>& sink, const Round& round) {
    std::vector<std::future<void>> results;
    for (size_t i = 0; i < size(); ++i) {
      const auto done = std::make_shared<std::promise<void>>();
      results.push_back(done->get_future());
      sink.Push(round, At(i), [done](std::exception_ptr failure) {
        if (failure)
          done->set_exception(failure);
        else
          done->set_value();
      });
    }
    for (std::future<void>& result : results) result.get();
  }

 private:
  struct Stored {
    std::vector<Segment> segments;
    std::vector<T> values;
  };
  struct Place {
    size_t bucket = 0, offset = 0, numel = 0;
  };
  std::vector<Stored> stored_;
  std::vector<Place> places_;  // by parameter
};

}  // namespace gradwire::testing
