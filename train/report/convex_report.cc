// SPDX-License-Identifier: Apache-2.0
#include "train/report/convex_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "train/report/async_json.h"

namespace gradwire::train {
namespace {

using Json = nlohmann::ordered_json;

Json OrNull(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

std::string OrDash(const std::optional<double>& value) { return value ? fmt::format("{:.3e}", *value) : "-"; }

Json ToJson(const ConvexRecord& r, const Config& config) {
  Json json = {{"step", r.step},
               {"lr", r.lr},
               {"wall_s", r.wall_s},
               {"f", r.f},
               {"f_gap", OrNull(r.f_gap)},
               {"dist", OrNull(r.dist)},
               {"grad_norm", r.grad_norm},
               {"bits_up", r.bits_up},
               {"bits_down", r.bits_down},
               {"bits_payload", r.bits_payload},
               {"passes", r.passes},
               {"method", config.comm.method},
               {"compressor", config.comm.compressor},
               {"data", fmt::format("{} {}", config.objective.name, Printable(config.objective.data))}};
  if (r.clock) json["clock"] = *r.clock;
  if (r.stats) json.update(StalenessJson(*r.stats));
  return json;
}

}  // namespace

void ConvexReport::Interval(const ConvexRecord& r) {
  report_.Write(ToJson(r, config_).dump());
  report_.Progress(fmt::format("step {:6}/{}  f - f* {}  ||x - x*|| {}  ||grad f|| {:.3e}  {:.4g} bits up", r.step,
                               config_.train.steps, OrDash(r.f_gap), OrDash(r.dist), r.grad_norm,
                               static_cast<double>(r.bits_up)));
}

void ConvexReport::Final(const ConvexRecord& r, bool diverged) {
  Json json = {{"final", true}, {"diverged", diverged}};
  json.update(ToJson(r, config_));
  report_.Write(json.dump());
  const auto row = [&](const char* name, const std::string& value) { Say(fmt::format("  {:<22}{}", name, value)); };
  Say(fmt::format("{} rounds, {} + {}{}", r.step, config_.comm.method, config_.comm.compressor,
                  diverged ? ": DIVERGED, the point is not finite; a smaller optimizer.lr may help" : ""));
  row("f - f*", OrDash(r.f_gap));
  row("||x - x*||", OrDash(r.dist));
  row("||grad f||", fmt::format("{:.3e}", r.grad_norm));
  row("sent by rank 0", fmt::format("{:.4g} bits ({:.4g} without frames)", static_cast<double>(r.bits_up),
                                    static_cast<double>(r.bits_payload)));
  row("received by a rank", fmt::format("{:.4g} bits", r.bits_down));
  row("passes over the data", fmt::format("{:.2f}", r.passes));
  if (r.clock) row("simulated clock", fmt::format("{:.4g}", *r.clock));
  if (r.stats)
    row("staleness", fmt::format("at most {}, {} jobs at once, {} gradients dropped", r.stats->tau_max, r.stats->tau_c,
                                 r.stats->dropped));
  row("time", fmt::format("{:.3f} s", r.wall_s));
  Say(fmt::format("written: {}/{{metrics.jsonl, config.yaml, log.txt}}", report_.directory()));
}

}  // namespace gradwire::train
