// SPDX-License-Identifier: Apache-2.0
#include "hooks/python/bench.h"

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <pybind11/stl.h>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "base/network_interface.h"
#include "gradwire/error.h"
#include "hooks/python/membership.h"
#include "train/bench/command.h"

namespace gradwire {
namespace {

namespace py = pybind11;
using train::ExchangeCost, train::ExchangeDoor, train::ExchangeOptions, train::ExchangeTimes, train::VariantSpec;
using Kind = VariantSpec::Kind;

/// An object of _bench.py; rounds go on without the GIL.
class PythonVariant final : public train::Variant {
 public:
  explicit PythonVariant(py::object object) : object_(std::move(object)) {}
  ~PythonVariant() override {
    const py::gil_scoped_acquire gil;
    object_ = py::object();
  }

  void Step() override {
    const py::gil_scoped_acquire gil;
    object_.attr("step")();
  }
  ExchangeCost Cost() override {
    const py::gil_scoped_acquire gil;
    const auto [encode_s, wire_s, decode_s, bytes] =
        object_.attr("cost")().cast<std::tuple<double, double, double, uint64_t>>();
    return {encode_s, wire_s, decode_s, bytes};
  }
  uint64_t Fingerprint() override {
    const py::gil_scoped_acquire gil;
    return static_cast<uint64_t>(object_.attr("fingerprint")().cast<int64_t>());
  }

 private:
  py::object object_;
};

const char* NameOf(Kind kind) { return kind == Kind::kDense ? "dense" : kind == Kind::kFloor ? "floor" : "gradwire"; }

/// `make`: of _bench.py, joins the ranks and makes the variants.
ExchangeTimes BeRank(const py::function& make, const ExchangeOptions& options, const std::vector<VariantSpec>& specs,
                     const RankEnv& env) {
  py::list wanted;
  for (const VariantSpec& spec : specs) wanted.append(py::make_tuple(NameOf(spec.kind), train::SettingsOf(spec.comm)));
  const py::object made = make(train::ShapesOf(options.model), wanted, options.timeout_s);
  const auto group = made.attr("group").cast<c10::intrusive_ptr<c10d::ProcessGroup>>();
  std::vector<std::unique_ptr<train::Variant>> variants;
  for (const py::handle variant : made.attr("variants"))
    variants.push_back(std::make_unique<PythonVariant>(py::reinterpret_borrow<py::object>(variant)));
  ExchangeTimes times;
  {
    const py::gil_scoped_release release;
    const auto collective = MakeC10dCollective(MembershipOf(group->getStore(), env.rank, env.world_size, env.world_size,
                                                            env.local_world_size, options.timeout_s),
                                               "gradwire/bench");
    times = TimeExchanges(*collective, specs, variants, options, FindLocalAddress(env).interface);
  }
  variants.clear();
  made.attr("close")();
  return times;
}

/// Joins the ranks with `make`, without variants.
void WithRanks(const py::function& make, double timeout_s, const RankEnv& env,
               const std::function<void(Collective&)>& work) {
  const py::object made = make(py::list(), py::list(), timeout_s);
  const auto group = made.attr("group").cast<c10::intrusive_ptr<c10d::ProcessGroup>>();
  {
    const py::gil_scoped_release release;
    work(*MakeC10dCollective(
        MembershipOf(group->getStore(), env.rank, env.world_size, env.world_size, env.local_world_size, timeout_s),
        "gradwire/bench"));
  }
  made.attr("close")();
}

/// `read`: of _bench.py, gives names, shapes and bytes of the floating tensors.
train::ModelShapes ReadPt(const py::function& read, const std::string& path) try {
  train::ModelShapes shapes;
  size_t bytes = 0, numel = 0;
  for (const py::handle entry : read(path)) {
    auto [name, shape, nbytes] = entry.cast<std::tuple<std::string, std::vector<int64_t>, size_t>>();
    shapes.parameters.push_back({std::move(name), std::move(shape)});
    bytes += nbytes, numel += shapes.parameters.back().numel();
  }
  shapes.bytes_an_element = bytes / std::max<size_t>(numel, 1);
  return shapes;
} catch (py::error_already_set& error) {
  throw ConfigError(py::str(error.value()).cast<std::string>());
}

/// `serve`: of _bench.py, returns a store on 127.0.0.1.
std::shared_ptr<void> Serve(const py::function& serve, int& port) {
  const py::object store = serve();
  port = store.attr("port").cast<int>();
  return std::make_shared<py::object>(store);
}

}  // namespace

void DefineBench(py::module_& m) {
  m.def("bench", [](const std::vector<std::string>& words, const std::vector<std::string>& command,
                    const py::function& serve, const py::function& make, const py::function& read) {
    ExchangeDoor door;
    door.serve_store = [&serve](int& port) { return Serve(serve, port); };
    door.be_rank = [&make](const ExchangeOptions& options, const std::vector<VariantSpec>& specs, const RankEnv& env) {
      return BeRank(make, options, specs, env);
    };
    door.with_ranks = [&make](double timeout_s, const RankEnv& env, const std::function<void(Collective&)>& work) {
      WithRanks(make, timeout_s, env, work);
    };
    door.read_pt = [&read](const std::string& path) { return ReadPt(read, path); };
    door.program = command.at(0), door.arguments = command;
    return train::BenchProgram("python -m gradwire", words, door);
  });
}

}  // namespace gradwire
