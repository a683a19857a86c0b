// SPDX-License-Identifier: Apache-2.0
#include "gradwire/ddp_hook.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>

#include <ATen/ops/empty.h>

#include "exchange/saved_memory.h"
#include "gradwire/abilities.h"
#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "hooks/ask_ddp.h"
#include "hooks/comm_hook.h"
#include "hooks/own_reduction.h"

namespace gradwire {
namespace {

ExchangeParts PartsOf(const DdpHookOptions& options) {
  ExchangeParts parts = MakeParts(options.comm, options.seed);
  parts.zeros_keep_memory = true;  // DDP hands out zeros for parameters that were not used
  parts.poison_undoes_step = options.scaled;
  return parts;
}

/// The parts of a hook that have threads, or are used by them; a forked child has none of them.
template <typename T>
struct HookParts {
  /// `known`: the route of the parts before these, which a Reducer may have; its next bucket comes here.
  HookParts(const NamedTensors& named, std::unique_ptr<Collective> joined, const DdpHookOptions& options,
            bool needs_rates, std::shared_ptr<GradientRoute<T>> known = nullptr)
      : collective(std::move(joined)),
        owned(std::make_unique<Exchange<T>>(*collective, DescribeParameters(named, options.reducer.get()),
                                            PartsOf(options))),
        exchange(*owned),
        thread(exchange),
        route(std::move(known)) {
    if (route)
      route->Redirect(thread);
    else
      route = std::make_shared<GradientRoute<T>>(named, thread, needs_rates);
    if (!options.reducer) return;
    route->Follow(options.reducer, [this](const std::vector<ElementOrder>& orders) {
      thread.Inspect([&](Exchange<T>& made) { made.Arrange(orders); });
    });
  }

  std::unique_ptr<Collective> collective;
  /// Let go of after a failure, and kept for ever: a sum that was abandoned may still be written into its buckets.
  std::unique_ptr<Exchange<T>> owned;
  Exchange<T>& exchange;
  ExchangeThread<T> thread;
  std::shared_ptr<GradientRoute<T>> route;
};

template <typename T>
class Hook final : public DdpHook {
 public:
  Hook(const NamedTensors& named, std::unique_ptr<Collective> collective, const DdpHookOptions& options,
       WhenAnswer answer)
      : world_size_(collective->size()),
        comm_(options.comm),
        seed_(options.seed),
        scaled_(options.scaled),
        reducer_(options.reducer),
        answer_(std::move(answer)) {
    if (answer_.is_asked) named_ = named;
    Make(named, std::move(collective), nullptr);
  }
  ~Hook() override {
    Close();
    if (!process_.is_here()) static_cast<void>(parts_.release());
  }

  std::unique_ptr<c10d::CommHookInterface> ForReducer() override {
    own_ = offered_;
    is_installed_ = true;
    return own_ ? nullptr : MakeCommHook(parts().route);
  }
  bool reduces() const override { return !own_; }
  c10::intrusive_ptr<c10::ivalue::Future> Push(c10d::GradBucket& bucket) override {
    return parts().route->Push(bucket);
  }
  void SetScale(double scale) override { parts().route->SetScale(scale); }
  void SetLr(double lr) override { SetLrs(std::vector<double>(parts().exchange.parameters().size(), lr)); }
  void SetLrs(std::vector<double> by_parameter) override {
    CheckRates(parts().exchange.parameters(), by_parameter);
    parts_->route->SetRates(std::move(by_parameter));
  }

  int world_size() const override { return world_size_; }
  WhenAnswer answer() const override { return answer_; }

  std::map<uint32_t, BucketTotals> Totals() override {
    if (own_) return process_.Require(), own_->Totals(world_size_);
    std::map<uint32_t, BucketTotals> totals;
    parts().thread.Inspect([&](Exchange<T>& exchange) {
      const std::vector<double> squares = SquaredResiduals(exchange.state());
      for (const auto& [index, content] : parts_->route->contents()) {
        BucketTotals& bucket = totals[index];
        bucket.exchange = exchange.bucket_stats().at(index);
        bucket.pushes = content.pushes;
        bucket.dense_bytes =
            2 * content.bytes * static_cast<uint64_t>(world_size_ - 1) / static_cast<uint64_t>(world_size_);
        double square = 0;
        for (const uint32_t parameter : content.parameters) square += squares[parameter];
        bucket.residual_norm = std::sqrt(square);
      }
    });
    return totals;
  }

  std::pair<uint64_t, double> Finished() const override { return parts().route->finished(); }

  uint64_t step() const override { return own_ ? own_->step() : parts().route->step(); }

  RankMemory Save() override {
    RankMemory memory;
    parts().thread.Inspect([&](Exchange<T>& exchange) {
      memory.settings = MemorySettings(exchange);
      for (const SavedVector<T>& v : SaveMemory(exchange)) {
        const at::Tensor copy = at::empty({static_cast<int64_t>(v.values.size())}, c10::CppTypeToScalarType<T>::value);
        std::ranges::copy(v.values, copy.mutable_data_ptr<T>());
        memory.vectors.push_back({v.down, v.parameter, v.name, copy});
      }
    });
    return memory;
  }

  void Load(uint64_t step, const RankMemory& memory) override {
    TakeAnswer({&memory, 1});
    CheckFits(memory);
    Replace(step, VectorsOf(memory));
  }

  void LoadResharded(uint64_t step, const std::vector<RankMemory>& old_ranks) override {
    TakeAnswer(old_ranks);
    std::vector<std::vector<SavedVector<T>>> old;
    for (const RankMemory& memory : old_ranks) {
      CheckFits(memory);
      old.push_back(VectorsOf(memory));
    }
    Replace(step, Reshard(old, PartsOf(Running()).topology));
  }

  void Reset(uint64_t step) override {
    parts().thread.Inspect([&](Exchange<T>& exchange) { exchange.ForgetMemory(); });
    SetStep(step);
  }

  void Close() override {
    if (!process_.is_here() || !parts_) return;
    parts_->thread.Close();
    parts_->collective.reset();  // before the exchange: after a failure it may still write into the exchange's buffers
    if (parts_->thread.has_failed()) static_cast<void>(parts_->owned.release());
  }

 private:
  /// The options as the answer has them.
  DdpHookOptions Running() const { return {After(comm_, answer_), seed_, scaled_, reducer_.lock()}; }

  void Make(const NamedTensors& named, std::unique_ptr<Collective> collective,
            std::shared_ptr<GradientRoute<T>> route) {
    const DdpHookOptions running = Running();
    const bool needs_rates = MakeParts(comm_, seed_).steps_inside();  // whatever the answer, which a save may change
    parts_ = std::make_unique<HookParts<T>>(named, std::move(collective), running, needs_rates, std::move(route));
    offered_.reset();
    if (running.reducer && SufficesDdpsOwn(running.comm, PartsOf(running))) offered_.emplace(running.reducer);
  }

  /// Whether all saves are of this hook's method, or of none, where that is its other answer; else they are of
  /// something else, and CheckFits says so.
  bool SaysOtherwise(std::span<const RankMemory> memories) const {
    const std::string_view method = FindMethod(comm_.method).name, other = answer_.compresses ? "none" : method;
    if (!answer_.is_asked || memories.empty() || method == "none") return false;  // none has no other answer
    return std::ranges::all_of(memories, [&](const RankMemory& memory) {
      return memory.settings.starts_with("method: " + std::string(other) + "\n");
    });
  }

  /// Where it is a question, the answer of the save is that of all that follows: new parts on the same collective. The
  /// old ones stay where there are no new ones, since what the Reducer calls points into them; it gets an error.
  void TakeAnswer(std::span<const RankMemory> memories) {
    if (!SaysOtherwise(memories)) return;
    HookParts<T>& now = parts();
    now.thread.Close();
    if (now.thread.has_failed()) throw Error("comm.when: the exchange has failed, and can take no other answer");
    const WhenAnswer before = answer_;
    answer_ = {true, !before.compresses, "comm.when: pays: as in the save that this run goes on from"};
    retired_ = std::move(parts_);
    try {
      Make(named_, std::move(retired_->collective), retired_->route);
    } catch (...) {
      answer_ = before;
      throw;
    }
    retired_.reset();
    if (!is_installed_ || !own_) return;
    own_.reset();  // the Reducer has no hook yet
    if (const auto reducer = reducer_.lock()) reducer->register_comm_hook(MakeCommHook(parts_->route));
  }

  std::vector<double> SquaredResiduals(StateStore<T>& store) const {
    std::vector<double> squares(parts_->exchange.parameters().size());
    store.ForEach([&](uint32_t parameter, std::string_view name, std::span<const T> values) {
      if (name != "e") return;
      for (const T x : values) squares[parameter] += static_cast<double>(x) * static_cast<double>(x);
    });
    return squares;
  }

  static std::vector<SavedVector<T>> VectorsOf(const RankMemory& memory) {
    std::vector<SavedVector<T>> vectors;
    for (const MemoryTensor& saved : memory.vectors) {
      const at::Tensor values = saved.values.to(c10::CppTypeToScalarType<T>::value).contiguous();
      const T* begin = values.template const_data_ptr<T>();
      vectors.push_back({saved.down, saved.parameter, saved.name, {begin, begin + values.numel()}});
    }
    return vectors;
  }

  void CheckFits(const RankMemory& memory) {
    std::string difference;
    parts().thread.Inspect(
        [&](Exchange<T>& exchange) { difference = MemoryDifference(memory.settings, MemorySettings(exchange)); });
    if (!difference.empty())
      throw Error(
          "the saved memory is of something else:" + difference +
          "\nExpected the settings and the model that it was saved with; or a wilful reset, which goes on with an "
          "empty memory (load_state_dict(state, reset=True), or DdpHook::Reset)");
  }

  void Replace(uint64_t step, const std::vector<SavedVector<T>>& vectors) {
    parts().thread.Inspect([&](Exchange<T>& exchange) {
      LoadMemory(exchange, vectors);
      exchange.GoOnAt(step);
    });
    SetStep(step);
  }

  void SetStep(uint64_t step) {
    parts().route->SetStep(step);
    if (own_) own_->SetStep(step);
  }

  /// Throws Error in a forked child.
  HookParts<T>& parts() const {
    process_.Require();
    if (!parts_) throw Error("this hook has no exchange: another answer of comm.when could not be taken");
    return *parts_;
  }

  const OwnProcess process_;
  const int world_size_;
  const CommConfig comm_;
  const uint64_t seed_;
  const bool scaled_;
  const std::weak_ptr<c10d::Reducer> reducer_;
  WhenAnswer answer_;
  NamedTensors named_;  // where there may be another answer
  std::unique_ptr<HookParts<T>> parts_, retired_;
  bool is_installed_ = false;                  // whether ForReducer was called
  std::optional<OwnReduction> offered_, own_;  // where the Reducer's own suffices; and where it was told to use it
};

}  // namespace

std::shared_ptr<DdpHook> MakeDdpHook(const NamedTensors& named, std::unique_ptr<Collective> collective,
                                     const DdpHookOptions& options) {
  CheckGiven(options.comm, {}, "a hook");
  if (named.empty())
    throw ConfigError("the model has no parameter with a dense gradient that DDP reduces: nothing to exchange");
  WhenAnswer answer;
  if (PaysIsAsked(options.comm)) answer = AskWhen(*collective, options.comm, JobOf(named, options.reducer));
  const bool is_double =
      std::ranges::any_of(named, [](const auto& n) { return n.second.scalar_type() == at::kDouble; });
  if (is_double) return std::make_shared<Hook<double>>(named, std::move(collective), options, std::move(answer));
  return std::make_shared<Hook<float>>(named, std::move(collective), options, std::move(answer));
}

}  // namespace gradwire
