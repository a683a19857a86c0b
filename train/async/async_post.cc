// SPDX-License-Identifier: Apache-2.0
// One thread meets workers (Meet) and gives each of them a Line, which has two threads: a reader turns what comes into
// events of one queue for all, and a writer sends what lies in the line's own queue. The server's thread takes events
// (Next) and fills the writers' queues (Send): it waits for no worker, and a slow or dead one holds up no other. A line
// ends with the worker's good-bye, with an error or by Stop; the reader says so by an event, kGone, unless the whole
// run is over.
#include "train/async/async_post.h"

#include "base/start_thread.h"
#include "c10d/pair.h"
#include "train/async/async_messages.h"

namespace gradwire::train {
namespace {

constexpr std::chrono::milliseconds kPollPeriod{20};  // between two looks for arrivals

}  // namespace

/// The connection with one worker.
class AsyncPost::Line {
 public:
  Line(AsyncPost& post, uint32_t worker)
      : post_(post), worker_(worker), reads_(StartThread("that receives from a worker", [this] { Read(); })) {}
  ~Line() {
    Stop();
    reads_.join();
  }

  void Put(std::vector<std::byte> message) {
    const std::scoped_lock lock(mutex_);
    messages_.push_back(std::move(message));
    more_.notify_all();
  }
  /// The run is over for the worker, whatever it was to get before.
  void Stop() {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
    more_.notify_all();
  }

 private:
  using Kind = WorkerNote::Kind;

  void Read() {
    std::optional<Pair> pair;  // outlives the writer
    std::thread writes;
    std::string why;
    try {
      Membership own = post_.member_;
      own.store = own.store->clone();  // others wait on theirs meanwhile
      pair.emplace(own, PairPrefix(worker_), Pair::End::kFirst, "worker " + std::to_string(worker_));
      post_.Put({PostEvent::Kind::kCame, worker_});
      writes = StartThread("that sends to a worker", [&] { Write(*pair); });
      while (ReadOne(*pair)) {
      }
      if (!post_.over_) why = "it said good-bye";
    } catch (const std::exception& error) {
      why = error.what();
    }
    Stop();
    if (!why.empty()) post_.Put({PostEvent::Kind::kGone, worker_, {}, why});
    if (writes.joinable()) writes.join();
  }

  /// Whether more is to come.
  bool ReadOne(Pair& pair) {
    std::vector<std::byte> message = pair.Receive(post_.most_);
    const Kind kind = ParseMessage<WorkerNote>(message).note.kind;
    if (kind == Kind::kGradient || kind == Kind::kFailed)
      post_.Put({PostEvent::Kind::kMessage, worker_, std::move(message)});
    return kind != Kind::kBye;
  }

  void Write(Pair& pair) {
    try {
      while (const auto message = NextMessage()) pair.Send(*message);
      pair.Send(MakeMessage(ServerNote{ServerNote::Kind::kStop}));
    } catch (const std::exception&) {  // the reader finds it as well, and says it
    }
  }

  std::optional<std::vector<std::byte>> NextMessage() {
    std::unique_lock lock(mutex_);
    const auto is_due = [&] { return is_over_ || !messages_.empty(); };
    if (!more_.wait_for(lock, post_.member_.timeout / 4, is_due)) return MakeMessage(ServerNote{});
    if (is_over_) return std::nullopt;
    std::vector<std::byte> message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }

  AsyncPost& post_;
  const uint32_t worker_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::vector<std::byte>> messages_;
  bool is_over_ = false;
  std::thread reads_;
};

AsyncPost::AsyncPost(const Membership& member, const std::string& settings, uint64_t token, size_t most)
    : member_(member),
      most_(most),
      meeting_(member.store->clone(), member.size, settings, {.token = token, .timeout = member.timeout}),
      meets_(StartThread("that meets workers", [this] { Meet(); })) {}

AsyncPost::~AsyncPost() {
  over_ = true;
  meets_.join();
  for (const auto& item : lines_) item.second->Stop();
  lines_.clear();
}

void AsyncPost::Meet() {
  try {
    for (; !over_; std::this_thread::sleep_for(kPollPeriod)) {
      const auto arrival = meeting_.Next();
      if (!arrival) continue;
      if (!arrival->excuse.empty()) {
        Put({PostEvent::Kind::kGone, arrival->worker, {}, arrival->excuse});
        continue;
      }
      auto line = std::make_unique<Line>(*this, arrival->worker);  // of a number that is new
      const std::scoped_lock lock(mutex_);
      lines_.emplace(arrival->worker, std::move(line));
    }
  } catch (const std::exception& error) {  // those that are here stay
    Put({PostEvent::Kind::kNoMore, 0, {}, error.what()});
  }
}

void AsyncPost::Put(PostEvent event) {
  const std::scoped_lock lock(mutex_);
  events_.push_back(std::move(event));
  came_.notify_all();
}

std::optional<PostEvent> AsyncPost::Next(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  if (!came_.wait_until(lock, until, [&] { return !events_.empty(); })) return std::nullopt;
  PostEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void AsyncPost::Send(uint32_t worker, std::vector<std::byte> message) {
  const std::scoped_lock lock(mutex_);
  if (const auto line = lines_.find(worker); line != lines_.end()) line->second->Put(std::move(message));
}

void AsyncPost::Dismiss(uint32_t worker) {
  const std::scoped_lock lock(mutex_);
  if (const auto line = lines_.find(worker); line != lines_.end()) line->second->Stop();
}

}  // namespace gradwire::train
