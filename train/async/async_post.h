// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "train/join/async_meeting.h"

namespace gradwire::train {

/// What reached the server of an asynchronous run.
struct PostEvent {
  enum class Kind {
    kCame,     ///< a worker is connected
    kMessage,  ///< a worker sent `message`
    kGone,     ///< a worker will send nothing more; `why`
    kNoMore    ///< no further worker can come; `why`
  } kind = Kind::kCame;
  uint32_t worker = 0;
  std::vector<std::byte> message = {};
  std::string why = "";
};

/// The server's connections: a thread that meets workers, and for each of them one that reads into the queue of events
/// and one that writes, so that the end of a worker or a slow one touches nobody else. Quiet connections are tried
/// every quarter of the timeout.
class AsyncPost {
 public:
  using Clock = std::chrono::steady_clock;

  /// `most`: bytes of the longest message that a worker may send.
  AsyncPost(const Membership& member, const std::string& settings, uint64_t token, size_t most);
  /// Tells the workers that the run is over, and waits for their good-byes: a busy one finishes its job first, within
  /// the timeout.
  ~AsyncPost();

  /// The next event, in the order of their arrival; none where none came until then.
  std::optional<PostEvent> Next(Clock::time_point until);
  /// A message to a worker that has come. Returns at once. To one that has gone meanwhile, nothing.
  void Send(uint32_t worker, std::vector<std::byte> message);
  /// Tells a worker that the run is over for it.
  void Dismiss(uint32_t worker);

 private:
  class Line;

  void Meet();
  void Put(PostEvent event);

  const Membership member_;
  const size_t most_;
  Meeting meeting_;
  std::atomic<bool> over_ = false;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<PostEvent> events_;
  std::map<uint32_t, std::unique_ptr<Line>> lines_;
  std::thread meets_;
};

}  // namespace gradwire::train
