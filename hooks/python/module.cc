// SPDX-License-Identifier: Apache-2.0
// gradwire._C: what the Python package needs of the C++ side. Nothing here runs while gradients are exchanged, and
// everything that waits releases the GIL.
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/jit/python/pybind_utils.h>
#include <torch/csrc/utils/pybind.h>
#include <torch/version.h>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "base/names.h"
#include "compress/spec.h"
#include "config/comm_keys.h"
#include "config/environment.h"
#include "exchange/saved_memory.h"
#include "gradwire/abilities.h"
#include "gradwire/c10d_backend.h"
#include "gradwire/c10d_group.h"
#include "gradwire/cost.h"
#include "gradwire/ddp_hook.h"
#include "gradwire/ddp_intercept.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "gradwire/pays.h"
#include "hooks/floor_hook.h"
#include "hooks/python/bench.h"
#include "hooks/python/membership.h"
#include "hooks/reducer_view.h"

namespace gradwire {
namespace {

namespace py = pybind11;
using ReleaseGil = py::call_guard<py::gil_scoped_release>;
constexpr py::release_gil_before_calling_cpp_dtor kWaitsWhenDestroyed;
using Settings = std::vector<std::pair<std::string, std::string>>;

/// Sets keys of the `comm:` section; `place` begins every complaint.
CommConfig CommOf(const Settings& settings, const std::string& place) {
  CommConfig config;
  for (const auto& [leaf, value] : settings) SetComm(config, leaf, ConfigValue::Plain(value), place);
  try {
    CheckGiven(config, {}, "a hook");
    MakeParts(config, 0);
  } catch (const ConfigError& error) {
    throw ConfigError(place + ": " + error.what());
  }
  return config;
}

using Named = std::vector<std::pair<std::string, at::Tensor>>;

/// All ranks of the group call it alike, with a prefix of its own. `world_size`, `local_world_size`: of the job.
std::shared_ptr<DdpHook> MakeHook(const Named& named, const std::shared_ptr<c10d::Reducer>& reducer,
                                  const c10::intrusive_ptr<c10d::ProcessGroup>& group, const std::string& prefix,
                                  int world_size, int local_world_size, const Settings& settings, uint64_t seed,
                                  bool scaled) {
  const DdpHookOptions options{CommOf(settings, "gradwire"), seed, scaled, reducer};
  const Membership member = MembershipOf(group->getStore(), group->getRank(), group->getSize(), world_size,
                                         local_world_size, options.comm.timeout_s);
  return MakeDdpHook(named, MakeC10dCollective(member, prefix), options);
}

/// For the group that the store belongs to; joins its own when gradients come.
std::shared_ptr<AllReduceInterceptor> MakeInterceptor(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size,
                                                      int world_size, int local_world_size, const Settings& settings,
                                                      uint64_t seed, int64_t min_numel) {
  DdpHookOptions options{CommOf(settings, "gradwire"), seed, false, nullptr};
  options.comm.compress_1d = true;  // they all are, whatever they hold
  if (options.comm.noise > 0)
    throw ConfigError("gradwire: comm.noise: all-reduces of few or other numbers pass as they are; expected 0");
  const auto join = [=, timeout_s = options.comm.timeout_s] {
    return MakeC10dCollective(MembershipOf(store, rank, size, world_size, local_world_size, timeout_s),
                              "gradwire/intercept");
  };
  return std::make_shared<AllReduceInterceptor>(join, options, min_numel);
}

py::dict AsDict(const BucketTotals& totals) {
  py::dict dict;
  dict["bytes"] = totals.exchange.bytes_sent();
  dict["frame_bytes"] = totals.exchange.frame_bytes;
  dict["dense_bytes"] = totals.dense_bytes;
  dict["pushes"] = totals.pushes;
  dict["encode_ms"] = 1e3 * totals.exchange.encode_s;
  dict["wire_ms"] = 1e3 * totals.exchange.wire_s;
  dict["decode_ms"] = 1e3 * totals.exchange.decode_s;
  dict["residual_norm"] = totals.residual_norm;
  return dict;
}

template <typename Hook>
py::dict Totals(Hook& hook) {
  std::map<uint32_t, BucketTotals> totals;
  {
    const py::gil_scoped_release release;
    totals = hook.Totals();
  }
  py::dict dict;
  for (const auto& [index, bucket] : totals) dict[py::int_(index)] = AsDict(bucket);
  return dict;
}

void DefineHook(py::module& m) {
  py::class_<AllReduceInterceptor, std::shared_ptr<AllReduceInterceptor>>(m, "AllReduceInterceptor",
                                                                          kWaitsWhenDestroyed)
      .def(py::init(&MakeInterceptor))
      .def("totals", &Totals<AllReduceInterceptor>)
      .def("close", &AllReduceInterceptor::Close, ReleaseGil());
  py::class_<MemoryTensor>(m, "MemoryTensor")
      .def(py::init<bool, uint32_t, std::string, at::Tensor>())
      .def_readonly("down", &MemoryTensor::down)
      .def_readonly("parameter", &MemoryTensor::parameter)
      .def_readonly("name", &MemoryTensor::name)
      .def_readonly("values", &MemoryTensor::values);
  py::class_<RankMemory>(m, "RankMemory")
      .def(py::init<std::string, std::vector<MemoryTensor>>())
      .def_readonly("settings", &RankMemory::settings)
      .def_readonly("vectors", &RankMemory::vectors);
  py::class_<DdpHook, std::shared_ptr<DdpHook>>(m, "DdpHook", kWaitsWhenDestroyed)
      .def("install",
           [](DdpHook& hook, const std::shared_ptr<c10d::Reducer>& reducer) {
             reducer->register_comm_hook(hook.ForReducer());
           })
      .def(
          "push",
          [](DdpHook& hook, c10d::GradBucket& bucket) {
            return std::make_shared<torch::jit::PythonFutureWrapper>(hook.Push(bucket));
          },
          ReleaseGil())
      .def("reduces", &DdpHook::reduces)
      .def("set_scale", &DdpHook::SetScale)
      .def("set_lrs", &DdpHook::SetLrs)
      .def("answer",
           [](const DdpHook& hook) {
             const WhenAnswer answer = hook.answer();
             return std::tuple(answer.word(), answer.reason);
           })
      .def("totals", &Totals<DdpHook>)
      .def("finished", &DdpHook::Finished)
      .def("step", &DdpHook::step)
      .def("save", &DdpHook::Save, ReleaseGil())
      .def("load", &DdpHook::Load, ReleaseGil())
      .def("load_resharded", &DdpHook::LoadResharded, ReleaseGil())
      .def("reset", &DdpHook::Reset, ReleaseGil())
      .def("close", &DdpHook::Close, ReleaseGil());
}

}  // namespace
}  // namespace gradwire

PYBIND11_MODULE(_C, m) {
  namespace py = pybind11;
  using namespace gradwire;
  m.attr("version") = GRADWIRE_VERSION;
  m.attr("torch_version") = TORCH_VERSION;
  const auto error = py::register_exception<Error>(m, "Error", PyExc_RuntimeError);
  py::register_exception<PeerError>(m, "PeerError", error.ptr());
  py::register_exception<ConfigError>(m, "ConfigError", PyExc_ValueError);
  DefineHook(m);
  m.def("comm_keys", [] {
    std::vector<std::tuple<std::string, std::string, std::string>> rows;
    for (const auto& key : CommKeys())
      rows.emplace_back(std::string(key.leaf()), key.default_text, std::string(key.meaning));
    return rows;
  });
  m.def("check", [](const Settings& settings, const std::string& place) { CommOf(settings, place); });
  m.def("check_key", [](const std::string& leaf, const std::string& value, const std::string& place) {
    CommConfig config;
    SetComm(config, leaf, ConfigValue::Plain(value), place);
  });
  m.def("environment", [] {
    std::vector<std::tuple<std::string, std::string, bool>> rows;
    for (const Variable& variable : Variables())
      rows.emplace_back(variable.name, variable.meaning, variable.is_setting);
    return rows;
  });
  m.def("check_environment", [](const std::vector<std::string>& names) { CheckVariables(names, Reader::kBackend); });
  m.def("nearest", [](const std::string& word, const std::vector<std::string>& candidates) {
    return std::string(Nearest(word, {candidates.begin(), candidates.end()}));
  });
  m.def("wrap_backends", [](const std::vector<std::pair<std::string, c10::intrusive_ptr<c10d::Backend>>>& inner,
                            const std::shared_ptr<AllReduceInterceptor>& interceptor) {
    std::vector<std::pair<c10::DeviceType, c10::intrusive_ptr<c10d::Backend>>> typed;
    for (const auto& [device, backend] : inner) typed.emplace_back(c10::Device(device).type(), backend);
    AllReduceTaker take;
    if (interceptor)
      take = [interceptor](std::vector<at::Tensor>& tensors, const c10d::AllreduceOptions& options) {
        return interceptor->Take(tensors, options);
      };
    return MakeForwardingBackend(typed, std::move(take));
  });
  m.def("describe", [](const Settings& settings) {
    const ExchangeParts parts = MakeParts(CommOf(settings, "gradwire"), 0);
    return std::pair(parts.method, parts.compressor->spec());
  });
  m.def("notice", [](const Settings& settings) {
    return CommOf(settings, "gradwire").noise > 0 ? std::string(kNoiseNotice) : std::string();
  });
  m.def("factor_notice",
        [](const Settings& settings, const std::vector<std::pair<std::string, std::vector<int64_t>>>& named) {
          std::vector<Parameter> parameters;
          for (const auto& [name, shape] : named) parameters.push_back({name, shape});
          return FactorNotice(MakeParts(CommOf(settings, "gradwire"), 0), parameters).value_or("");
        });
  m.def("steps_inside",
        [](const Settings& settings) { return MakeParts(CommOf(settings, "gradwire"), 0).steps_inside(); });
  m.def("methods", [] {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const Method& method : Methods())
      if (Missing(method, {}).empty()) rows.emplace_back(method.name, method.summary);
    return rows;
  });
  m.def("compressors", [] {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const CompressorInfo& info : Compressors()) rows.emplace_back(info.syntax, info.summary);
    return rows;
  });
  m.def("topology",
        [](const Settings& settings) { return std::string(MakeParts(CommOf(settings, "gradwire"), 0).topology); });
  m.def("make_hook", &MakeHook, ReleaseGil());
  m.def("covered_by", [](const std::shared_ptr<c10d::Reducer>& reducer) {
    const ReducerView view(*reducer);
    std::vector<std::pair<at::Tensor, bool>> parameters;
    for (size_t i = 0; i < view.parameters().size(); ++i)
      parameters.emplace_back(view.parameters()[i], !view.sparse().empty() && view.sparse()[i]);
    return parameters;
  });
  m.def("canonical_names", &CanonicalNames);
  m.def("memory_difference", &MemoryDifference);
  m.def("install_floor",
        [](const std::shared_ptr<c10d::Reducer>& reducer) { reducer->register_comm_hook(MakeFloorHook()); });
  DefineBench(m);
}
