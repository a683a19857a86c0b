// SPDX-License-Identifier: Apache-2.0
#include "train/join/async_meeting.h"

#include <algorithm>
#include <sstream>
#include <thread>

#include "base/notice.h"
#include "c10d/init.h"
#include "gradwire/error.h"
#include "train/config/modes.h"
#include "train/config/settings.h"

namespace gradwire::train {
namespace {

// An arrival is "RANK\nSETTINGS", or "RANK\n!REASON" of one that cannot work; an answer is "ok WORKER TOKEN TIMEOUT_MS"
// or why there is no place.
constexpr char kExcuse = '!';
constexpr std::string_view kOk = "ok ";
constexpr const char *kArrivals = "async/arrivals", *kMet = "async/met";  // how many have come, and been answered

std::vector<uint8_t> Bytes(const std::string& text) { return {text.begin(), text.end()}; }

std::string TextAt(c10d::Store& store, const std::string& key) {
  const std::vector<uint8_t> bytes = store.get(key);
  return {bytes.begin(), bytes.end()};
}

std::string ArrivalKey(uint64_t number) { return "async/arrival/" + std::to_string(number); }
std::string AnswerKey(uint64_t number) { return "async/answer/" + std::to_string(number); }

uint64_t Announce(c10d::Store& store, int rank, const std::string& text) {
  const auto number = static_cast<uint64_t>(store.add(kArrivals, 1));
  store.set(ArrivalKey(number), Bytes(std::to_string(rank) + "\n" + text));
  return number;
}

}  // namespace

std::string PairPrefix(uint32_t worker) { return "async/pair/" + std::to_string(worker); }

std::string DataText(const Dataset& data) {
  std::string labels;
  for (size_t i = 0; i < std::min<size_t>(32, data.train.labels.size()); ++i)
    labels += std::to_string(static_cast<int>(data.train.labels[i])) + " ";
  return "training images: " + std::to_string(data.train.size()) + ", whose labels begin " + labels +
         "\ntest images: " + std::to_string(data.test.size()) + "\n";
}

std::string MeetingText(const Config& config, const Dataset& data) { return SettingsText(config) + DataText(data); }

namespace {

std::string AwaitAnswer(const Membership& member, const std::string& key) {
  const auto begin = std::chrono::steady_clock::now();
  Notice notice(member.timeout);
  while (!member.store->check({key})) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    if (waited >= member.timeout) throw Error("nothing has come meanwhile");
    if (notice.IsDue(waited))
      SayOnStderr("this worker has waited " + Seconds(waited) +
                  " for the answer of the server (rank 0); it gives up after " + Seconds(member.timeout));
  }
  return TextAt(*member.store, key);
}

}  // namespace

void FindServer(const Membership& member) {
  const std::string mode = ValueIn(AwaitIntroduced(member, 0).settings, "train.mode");
  if (!HasServer(mode))
    throw ConfigError("rank 0 runs with other settings; give all ranks the same:\n  train.mode: rank 0 has " + mode +
                      ", this one has async");
}

Welcome Arrive(const Membership& member, int rank, const std::string& settings) {
  std::string answer;
  try {
    const uint64_t number = Announce(*member.store, rank, settings);
    answer = AwaitAnswer(member, AnswerKey(number));
  } catch (const std::exception& error) {
    throw Error("the server (rank 0) of the run has not answered within " + std::to_string(member.timeout.count()) +
                " ms: is train.mode async there, and does it still run? (" + error.what() + ")");
  }
  if (!answer.starts_with(kOk)) throw ConfigError("the server (rank 0) of the run refuses this worker: " + answer);
  std::istringstream words(answer.substr(kOk.size()));
  Welcome welcome;
  int64_t timeout = 0;
  words >> welcome.worker >> welcome.token >> timeout;
  welcome.timeout = std::chrono::milliseconds(timeout);
  return welcome;
}

void ExcuseFrom(c10d::Store& store, int rank, const std::string& reason) {
  try {
    Announce(store, rank, kExcuse + reason);
  } catch (const std::exception&) {  // the server is gone as well
  }
}

bool HasMetAll(c10d::Store& store) {
  try {
    return store.add(kMet, 0) >= store.add(kArrivals, 0);
  } catch (const std::exception&) {
    return false;
  }
}

Meeting::Meeting(c10::intrusive_ptr<c10d::Store> store, int world_size, std::string settings, const Welcome& all,
                 std::chrono::milliseconds patience)
    : store_(std::move(store)),
      settings_(std::move(settings)),
      all_(all),
      patience_(patience),
      world_size_(world_size),
      next_worker_(static_cast<uint32_t>(world_size)) {}

std::optional<Meeting::Arrival> Meeting::Next() {
  while (store_->check({ArrivalKey(next_arrival_)}) || IsHole()) {
    const uint64_t number = next_arrival_++;
    store_->add(kMet, 1);
    const bool is_hole = hole_since_.has_value();
    hole_since_.reset();
    if (is_hole && !store_->check({ArrivalKey(number)})) continue;
    if (const auto arrival = Answer(TextAt(*store_, ArrivalKey(number)), AnswerKey(number))) return arrival;
  }
  return std::nullopt;
}

/// Whether the next arrival was announced too long ago to come.
bool Meeting::IsHole() {
  const auto now = std::chrono::steady_clock::now();
  if (static_cast<uint64_t>(store_->add(kArrivals, 0)) < next_arrival_) return false;
  if (!hole_since_) hole_since_ = now;
  return now - *hole_since_ >= patience_;
}

/// The arrival of a rank that will not come; none where it has come already.
std::optional<Meeting::Arrival> Meeting::Excuse(int rank, const std::string& reason) {
  if (rank < 0 || rank >= world_size_ || !ranks_.insert(rank).second) return std::nullopt;
  return Arrival{static_cast<uint32_t>(rank), reason};
}

std::optional<Meeting::Arrival> Meeting::Answer(const std::string& arrival, const std::string& key) {
  const size_t line = std::min(arrival.find('\n'), arrival.size());
  const int rank = std::atoi(arrival.c_str());
  const std::string text = line < arrival.size() ? arrival.substr(line + 1) : "";
  if (text.starts_with(kExcuse)) return Excuse(rank, text.substr(1));
  if (const std::string difference = SettingsDifference(settings_, text); !difference.empty()) {
    store_->set(key, Bytes("it has other settings; \"saved with\" is the run's:" + difference));
    return Excuse(rank, "it was refused for other settings:" + difference);
  }
  if (rank >= world_size_ || (rank >= 0 && !ranks_.insert(rank).second)) {
    store_->set(key, Bytes("rank " + std::to_string(rank) +
                           (rank < world_size_ ? " is there already"
                                               : " is none of the " + std::to_string(world_size_) + " of the run") +
                           "; start this one with --join"));
    return std::nullopt;
  }
  const uint32_t worker = rank >= 0 ? static_cast<uint32_t>(rank) : next_worker_++;
  store_->set(key, Bytes(std::string(kOk) + std::to_string(worker) + " " + std::to_string(all_.token) + " " +
                         std::to_string(all_.timeout.count())));
  return Arrival{worker};
}

}  // namespace gradwire::train
