// SPDX-License-Identifier: Apache-2.0
#include "gradwire/aggregate.h"

#include <vector>

#include <fmt/format.h>

#include "compress/spec.h"
#include "gradwire/error.h"
#include "message/aggregate_rules.h"

namespace gradwire {

bool Aggregate::remembers() const { return rule != nullptr && rule->remembers; }

size_t Aggregate::Tolerates(size_t senders) const { return is_mean() ? 0 : rule->tolerates(*this, senders); }

void Aggregate::Check(size_t senders) const {
  if (is_mean()) return;
  if (const std::string why = rule->misfit(*this, senders); !why.empty())
    throw ConfigError("comm.aggregate", fmt::format("{} of {} workers {}", text(), senders, why));
}

std::string Aggregate::text() const { return is_mean() ? "mean" : std::string(rule->name()) + rule->arguments(*this); }

std::string AggregateForms() {
  std::vector<std::string_view> forms;
  for (const AggregateRule& rule : AggregateRules()) forms.push_back(rule.form);
  return fmt::format("{}", fmt::join(forms, ", "));
}

Aggregate ParseAggregate(std::string_view text) {
  std::vector<std::string_view> parts = Split(text, ':');
  const std::string_view name = parts[0];
  parts.erase(parts.begin());
  for (const AggregateRule& rule : AggregateRules()) {
    if (rule.name() != name) continue;
    std::optional<Aggregate> aggregate = rule.read(parts);
    if (!aggregate) break;
    if (rule.f64 != nullptr) aggregate->rule = &rule;
    return *aggregate;
  }
  throw ConfigError(
      fmt::format("found '{}', expected one of {}, with F a count from 1 or a share above 0% and below "
                  "50%, S from 1, TAU above 0, STEPS from 1 to 100",
                  text, AggregateForms()));
}

}  // namespace gradwire
