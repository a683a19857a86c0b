// SPDX-License-Identifier: Apache-2.0
#include "c10d/forwarding_control.h"
#include "c10d/integer_mean.h"
#include "gradwire/c10d_backend.h"

namespace gradwire {
namespace {

using Work = c10::intrusive_ptr<c10d::Work>;
using Tensor = at::Tensor;
using Tensors = std::vector<at::Tensor>;
using TensorLists = std::vector<Tensors>;
using Sizes = std::vector<int64_t>;

class ForwardingBackend final : public ForwardingControl {
 public:
  ForwardingBackend(InnerBackends inner, AllReduceTaker take)
      : ForwardingControl(std::move(inner)), take_(std::move(take)) {
    init();
  }

  Work broadcast(Tensors& tensors, const c10d::BroadcastOptions& options) override {
    return Pass(inner_.For(tensors), &Backend::broadcast, tensors, options);
  }
  Work allreduce(Tensors& tensors, const c10d::AllreduceOptions& options) override {
    if (take_)
      if (Work work = take_(tensors, options)) return work;
    return Reduce(inner_.For(tensors), &Backend::allreduce, tensors, tensors, options, tensors);
  }
  Work allreduce_sparse(Tensors& tensors, const c10d::AllreduceOptions& options) override {
    return Pass(inner_.For(tensors), &Backend::allreduce_sparse, tensors, options);
  }
  Work allreduce_coalesced(Tensors& tensors, const c10d::AllreduceCoalescedOptions& options) override {
    return Reduce(inner_.For(tensors), &Backend::allreduce_coalesced, tensors, tensors, options, tensors);
  }
  Work reduce(Tensors& tensors, const c10d::ReduceOptions& options) override {
    const Tensors results = options.rootRank == getRank() ? tensors : Tensors{};
    return Reduce(inner_.For(tensors), &Backend::reduce, tensors, results, options, tensors);
  }

  Work allgather(TensorLists& outputs, Tensors& inputs, const c10d::AllgatherOptions& options) override {
    return Pass(inner_.For(inputs), &Backend::allgather, outputs, inputs, options);
  }
  Work allgather_coalesced(TensorLists& outputs, Tensors& inputs, const c10d::AllgatherOptions& options) override {
    return Pass(inner_.For(inputs), &Backend::allgather_coalesced, outputs, inputs, options);
  }
  Work _allgather_base(Tensor& output, Tensor& input, const c10d::AllgatherOptions& options) override {
    return Pass(inner_.For(input), &Backend::_allgather_base, output, input, options);
  }
  Work allgather_into_tensor_coalesced(Tensors& outputs, Tensors& inputs,
                                       const c10d::AllgatherOptions& options) override {
    return Pass(inner_.For(inputs), &Backend::allgather_into_tensor_coalesced, outputs, inputs, options);
  }

  // Only the root of a gather has outputs, and only that of a scatter has inputs.
  Work gather(TensorLists& outputs, Tensors& inputs, const c10d::GatherOptions& options) override {
    return Pass(inner_.For(inputs), &Backend::gather, outputs, inputs, options);
  }
  Work scatter(Tensors& outputs, TensorLists& inputs, const c10d::ScatterOptions& options) override {
    return Pass(inner_.For(outputs), &Backend::scatter, outputs, inputs, options);
  }

  Work reduce_scatter(Tensors& outputs, TensorLists& inputs, const c10d::ReduceScatterOptions& options) override {
    return Reduce(inner_.For(outputs), &Backend::reduce_scatter, outputs, outputs, options, outputs, inputs);
  }
  Work _reduce_scatter_base(Tensor& output, Tensor& input, const c10d::ReduceScatterOptions& options) override {
    return Reduce(inner_.For(input), &Backend::_reduce_scatter_base, {input}, {output}, options, output, input);
  }
  Work reduce_scatter_tensor_coalesced(Tensors& outputs, Tensors& inputs,
                                       const c10d::ReduceScatterOptions& options) override {
    return Reduce(inner_.For(inputs), &Backend::reduce_scatter_tensor_coalesced, inputs, outputs, options, outputs,
                  inputs);
  }

  Work alltoall(Tensors& outputs, Tensors& inputs, const c10d::AllToAllOptions& options) override {
    return Pass(inner_.For(inputs), &Backend::alltoall, outputs, inputs, options);
  }
  Work alltoall_base(Tensor& output, Tensor& input, Sizes& output_sizes, Sizes& input_sizes,
                     const c10d::AllToAllOptions& options) override {
    return Pass(inner_.For(input), &Backend::alltoall_base, output, input, output_sizes, input_sizes, options);
  }

  Work send(Tensors& tensors, int peer, int tag) override {
    return Pass(inner_.For(tensors), &Backend::send, tensors, peer, tag);
  }
  Work recv(Tensors& tensors, int peer, int tag) override {
    return Pass(inner_.For(tensors), &Backend::recv, tensors, peer, tag);
  }
  Work recvAnysource(Tensors& tensors, int tag) override {
    return Pass(inner_.For(tensors), &Backend::recvAnysource, tensors, tag);
  }

  Work barrier(const c10d::BarrierOptions& options) override {
    return inner_.ForBarrier(options, bound_device_id_).barrier(options);
  }
  void monitoredBarrier(const c10d::BarrierOptions& options, bool wait_all_ranks) override {
    Backend& backend = options.device ? inner_.For(options.device->type()) : inner_.ForCpuOrMain();
    backend.monitoredBarrier(options, wait_all_ranks);
  }

#ifdef GRADWIRE_BACKEND_2_14
  // The new names of the ones above. torch's defaults would reach the same inner function by way of the old name, but
  // they hold a flag of the thread meanwhile, by which a backend further in that has only the old name is refused.
  Work all_gather_single(Tensor& output, Tensor& input, const c10d::AllgatherOptions& options) override {
    return Pass(inner_.For(input), &Backend::all_gather_single, output, input, options);
  }
  Work all_gather_single_coalesced(Tensors& outputs, Tensors& inputs, const c10d::AllgatherOptions& options) override {
    return Pass(inner_.For(inputs), &Backend::all_gather_single_coalesced, outputs, inputs, options);
  }
  Work gather_single(Tensor& output, Tensor& input, const c10d::GatherOptions& options) override {
    return Pass(inner_.For(input), &Backend::gather_single, output, input, options);
  }
  Work gather_into_tensor(Tensor& output, Tensor& input, const c10d::GatherOptions& options) override {
    return Pass(inner_.For(input), &Backend::gather_into_tensor, output, input, options);
  }
  Work reduce_scatter_single(Tensor& output, Tensor& input, const c10d::ReduceScatterOptions& options) override {
    return Reduce(inner_.For(input), &Backend::reduce_scatter_single, {input}, {output}, options, output, input);
  }
  Work reduce_scatter_single_coalesced(Tensors& outputs, Tensors& inputs,
                                       const c10d::ReduceScatterOptions& options) override {
    return Reduce(inner_.For(inputs), &Backend::reduce_scatter_single_coalesced, inputs, outputs, options, outputs,
                  inputs);
  }
  Work all_to_all_single(Tensor& output, Tensor& input, Sizes& output_sizes, Sizes& input_sizes,
                         const c10d::AllToAllOptions& options) override {
    return Pass(inner_.For(input), &Backend::all_to_all_single, output, input, output_sizes, input_sizes, options);
  }
#endif

 private:
  /// A reduction of `inputs` into `results`, this rank's: `function(args..., options)`, or the sum and a division.
  template <typename Function, typename Options, typename... Args>
  Work Reduce(Backend& backend, Function function, const Tensors& inputs, const Tensors& results,
              const Options& options, Args&... args) {
    if (!IsIntegerMean(options.reduceOp, inputs)) return Pass(backend, function, args..., options);
    Options sum = options;
    sum.reduceOp = c10d::ReduceOp::SUM;
    return coalescing_.Keep(backend, MeanOf((backend.*function)(args..., sum), results, getSize()));
  }

  template <typename Function, typename... Args>
  Work Pass(Backend& backend, Function function, Args&&... args) {
    return coalescing_.Keep(backend, (backend.*function)(std::forward<Args>(args)...));
  }

  const AllReduceTaker take_;
};

}  // namespace

c10::intrusive_ptr<c10d::Backend> MakeForwardingBackend(
    const std::vector<std::pair<c10::DeviceType, c10::intrusive_ptr<c10d::Backend>>>& inner, AllReduceTaker take) {
  return c10::make_intrusive<ForwardingBackend>(InnerBackends(inner), std::move(take));
}

}  // namespace gradwire
