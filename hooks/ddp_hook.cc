// SPDX-License-Identifier: Apache-2.0
#include "gradwire/ddp_hook.h"

#include <algorithm>
#include <cmath>

#include <ATen/ops/empty.h>

#include "gradwire/abilities.h"
#include "gradwire/error.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "gradwire/saved_memory.h"
#include "hooks/comm_hook.h"

namespace gradwire {
namespace {

using Named = std::vector<std::pair<std::string, at::Tensor>>;

std::vector<Parameter> Describe(const Named& named) {
  std::vector<Parameter> parameters;
  for (const auto& [name, tensor] : named) parameters.push_back({name, tensor.sizes().vec()});
  return parameters;
}

std::vector<at::Tensor> Tensors(const Named& named) {
  std::vector<at::Tensor> tensors;
  for (const auto& item : named) tensors.push_back(item.second);
  return tensors;
}

ExchangeParts PartsOf(const DdpHookOptions& options) {
  ExchangeParts parts = MakeParts(options.comm, options.seed);
  parts.zeros_keep_memory = true;  // DDP hands out zeros for parameters that were not used
  parts.poison_undoes_step = options.scaled;
  return parts;
}

template <typename T>
class Hook final : public DdpHook {
 public:
  Hook(const Named& named, std::unique_ptr<Collective> collective, const DdpHookOptions& options)
      : rank_(collective->rank()),
        world_size_(collective->size()),
        collective_(std::move(collective)),
        exchange_(*collective_, Describe(named), PartsOf(options)),
        thread_(exchange_),
        route_(std::make_shared<GradientRoute<T>>(Tensors(named), thread_)) {}
  ~Hook() override { Close(); }

  std::unique_ptr<c10d::CommHookInterface> ForReducer() override { return MakeCommHook(route_); }
  c10::intrusive_ptr<c10::ivalue::Future> Push(c10d::GradBucket& bucket) override { return route_->Push(bucket); }
  void SetScale(double scale) override { route_->SetScale(scale); }
  void SetLr(double lr) override { route_->SetLr(lr); }

  int world_size() const override { return world_size_; }

  std::map<uint32_t, BucketTotals> Totals() override {
    std::map<uint32_t, BucketTotals> totals;
    thread_.Inspect([&](Exchange<T>& exchange) {
      const std::vector<double> squares = SquaredResiduals(exchange.state());
      for (const auto& [index, content] : route_->contents()) {
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

  std::pair<uint64_t, double> Finished() const override { return route_->finished(); }

  uint64_t step() const override { return route_->step(); }

  RankMemory Save() override {
    RankMemory memory;
    thread_.Inspect([&](Exchange<T>& exchange) {
      for (const SavedVector<T>& v : SaveMemory(exchange)) {
        const at::Tensor copy = at::empty({static_cast<int64_t>(v.values.size())}, c10::CppTypeToScalarType<T>::value);
        std::ranges::copy(v.values, copy.mutable_data_ptr<T>());
        memory.push_back({v.down, v.parameter, v.name, copy});
      }
    });
    return memory;
  }

  void Load(uint64_t step, const RankMemory& memory) override { Replace(step, VectorsOf(memory)); }

  void LoadResharded(uint64_t step, const std::vector<RankMemory>& old_ranks, Topology topology,
                     PieceRule piece) override {
    std::vector<std::vector<SavedVector<T>>> old;
    for (const RankMemory& memory : old_ranks) old.push_back(VectorsOf(memory));
    Replace(step, Reshard(old, topology, piece, rank_, world_size_));
  }

  void Close() override {
    thread_.Close();
    collective_.reset();  // before the exchange: after a failure it may still write into the exchange's buffers
  }

 private:
  std::vector<double> SquaredResiduals(StateStore<T>& store) const {
    std::vector<double> squares(exchange_.parameters().size());
    store.ForEach([&](uint32_t parameter, std::string_view name, std::span<const T> values) {
      if (name != "e") return;
      for (const T x : values) squares[parameter] += static_cast<double>(x) * static_cast<double>(x);
    });
    return squares;
  }

  static std::vector<SavedVector<T>> VectorsOf(const RankMemory& memory) {
    std::vector<SavedVector<T>> vectors;
    for (const MemoryTensor& saved : memory) {
      const at::Tensor values = saved.values.to(c10::CppTypeToScalarType<T>::value).contiguous();
      const T* begin = values.template const_data_ptr<T>();
      vectors.push_back({saved.down, saved.parameter, saved.name, {begin, begin + values.numel()}});
    }
    return vectors;
  }

  void Replace(uint64_t step, const std::vector<SavedVector<T>>& vectors) {
    thread_.Inspect([&](Exchange<T>& exchange) { LoadMemory(exchange, vectors); });
    route_->SetStep(step);
  }

  const int rank_;
  const int world_size_;
  std::unique_ptr<Collective> collective_;
  Exchange<T> exchange_;
  ExchangeThread<T> thread_;
  std::shared_ptr<GradientRoute<T>> route_;
};

}  // namespace

std::shared_ptr<DdpHook> MakeDdpHook(const Named& named, std::unique_ptr<Collective> collective,
                                     const DdpHookOptions& options) {
  CheckGiven(options.comm, {}, "a hook");
  if (named.empty()) throw ConfigError("the model has no parameter that requires a gradient: nothing to exchange");
  const bool is_double =
      std::ranges::any_of(named, [](const auto& n) { return n.second.scalar_type() == at::kDouble; });
  if (is_double) return std::make_shared<Hook<double>>(named, std::move(collective), options);
  return std::make_shared<Hook<float>>(named, std::move(collective), options);
}

}  // namespace gradwire
