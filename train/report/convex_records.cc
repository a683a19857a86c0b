// SPDX-License-Identifier: Apache-2.0
#include "train/report/convex_records.h"

#include <fmt/format.h>

#include "base/text.h"
#include "train/config/gossip_rules.h"
#include "train/config/modes.h"
#include "train/report/record_parts.h"

namespace gradwire::train {
namespace {

std::string OrDash(const std::optional<double>& value) { return value ? fmt::format("{:.3e}", *value) : "-"; }

std::vector<Field> FieldsOf(const ConvexState& s, const Config& config) {
  std::vector<Field> fields = {{"step", s.step},
                               {"lr", s.lr},
                               {"wall_s", s.wall_s},
                               {"f", s.f},
                               {"f_gap", OrNothing(s.f_gap)},
                               {"dist", OrNothing(s.dist)},
                               {"grad_norm", s.grad_norm},
                               {"bits_up", s.bits_up},
                               {"bits_down", s.bits_down},
                               {"bits_payload", s.bits_payload},
                               {"bits_paper", s.bits_paper},
                               {"passes", s.passes},
                               {"method", std::string(MethodOf(config))},
                               {"compressor", std::string(CompressorOf(config))},
                               {"data", fmt::format("{} {}", config.objective.name, Printable(config.objective.data))}};
  if (s.f_avg) fields.push_back({"f_avg", *s.f_avg}), fields.push_back({"f_avg_gap", OrNothing(s.f_avg_gap)});
  if (s.bits_paper_down) {
    fields.push_back({"bits_paper_down", *s.bits_paper_down});
    fields.push_back({"hessians", *s.hessians});
    fields.push_back({"newton", config.newton.method});
    fields.push_back({"newton_compressor", config.newton.compressor});
  }
  if (s.spread) fields.push_back({"spread", *s.spread}), fields.push_back({"evaluate", config.gossip.evaluate});
  if (s.clock) fields.push_back({"clock", *s.clock});
  if (s.stats)
    for (Field& field : StalenessFields(*s.stats)) fields.push_back(std::move(field));
  return fields;
}

}  // namespace

Record IntervalOf(const ConvexState& s, const Config& config) {
  return {
      Record::Kind::kInterval,
      s.step,
      FieldsOf(s, config),
      {fmt::format("step {:6}/{}  f - f* {}  ||x - x*|| {}  ||grad f|| {:.3e}  {:.4g} bits up", s.step,
                   config.train.steps, OrDash(s.f_gap), OrDash(s.dist), s.grad_norm, static_cast<double>(s.bits_up))}};
}

Record FinalOf(const ConvexState& s, bool diverged, const Config& config) {
  Record record{Record::Kind::kFinal, s.step, FieldsOf(s, config), {}};
  record.fields.insert(record.fields.begin(), {{"final", true}, {"diverged", diverged}});
  record.lines = {
      fmt::format("{} rounds, {}{} + {}{}", s.step, s.hessians ? config.newton.method + ", gradients by " : "",
                  MethodOf(config), config.comm.compressor,
                  diverged
                      ? fmt::format(": DIVERGED, the point is not finite; {} may help",
                                    s.hessians ? "a line search (newton.method: fednl_ls) or cubic steps (fednl_cr)"
                                               : "a smaller optimizer.lr")
                      : ""),
      TableRow("f - f*", OrDash(s.f_gap)),
      TableRow("||x - x*||", OrDash(s.dist)),
      TableRow("||grad f||", fmt::format("{:.3e}", s.grad_norm)),
      TableRow("sent by rank 0", fmt::format("{:.4g} bits ({:.4g} without frames)", static_cast<double>(s.bits_up),
                                             static_cast<double>(s.bits_payload))),
      TableRow("as papers count",
               fmt::format("{:.4g} bits ({})", static_cast<double>(s.bits_paper), config.log.bits_paper)),
      TableRow("received by a rank", fmt::format("{:.4g} bits", s.bits_down)),
      TableRow("passes over the data", fmt::format("{:.2f}", s.passes))};
  if (s.f_avg_gap) record.lines.push_back(TableRow("f - f* at the average", OrDash(s.f_avg_gap)));
  if (s.bits_paper_down)
    record.lines.push_back(
        TableRow("from a server", fmt::format("{:.4g} bits ({}); {} Hessians", static_cast<double>(*s.bits_paper_down),
                                              config.log.bits_paper, *s.hessians)));
  if (s.spread)
    record.lines.push_back(TableRow("spread", fmt::format("{:.3e}, beside {}", *s.spread, EvaluatedText(config))));
  if (s.clock) record.lines.push_back(TableRow("simulated clock", fmt::format("{:.4g}", *s.clock)));
  if (s.stats) record.lines.push_back(StalenessRow(*s.stats));
  record.lines.push_back(TableRow("time", fmt::format("{:.3f} s", s.wall_s)));
  record.lines.push_back(fmt::format("written: {}/{{metrics.jsonl, config.yaml, log.txt}}", config.run.output_dir));
  return record;
}

}  // namespace gradwire::train
