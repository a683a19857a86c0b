// SPDX-License-Identifier: Apache-2.0
#include "config/environment.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include <fmt/format.h>

#include "compress/spec.h"
#include "config/comm_keys.h"
#include "gradwire/error.h"
#include "kernels/isa.h"

namespace gradwire {
namespace {

constexpr std::string_view kPrefix = "GRADWIRE_";

std::string VariableOf(std::string_view leaf) {
  std::string name(kPrefix);
  for (const char c : leaf) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::vector<Variable> MakeVariables() {
  std::vector<Variable> variables;
  for (const auto& key : CommKeys())
    if (key.leaf() != "bucket_cap_mb")  // the buckets are DDP's
      variables.push_back({VariableOf(key.leaf()), std::string(key.meaning), true});
  variables.push_back({"GRADWIRE_SEED", "of the operators' random bits, an integer >= 0, equal on all ranks", true});
  variables.push_back({"GRADWIRE_CONFIG", "a YAML file whose section comm has the settings, as the trainer's", true});
  variables.push_back({"GRADWIRE_INTERCEPT", "none or allreduce: compress other reducers' all-reduces too", true});
  variables.push_back({"GRADWIRE_MIN_BUCKET_NUMEL", "elements from which on those are compressed", true});
  variables.push_back({"GRADWIRE_FORCE_ISA",
                       "no setting of the job: the instruction set of the kernels, avx512, avx2, neon or scalar"});
  variables.push_back({"GRADWIRE_BUILD_DIR", "no setting: the build folder that the tests are to use"});
  variables.push_back({"GRADWIRE_PYTHON", "no setting: the Python that the tests are to use"});
  return variables;
}

/// The trainer's key that says the same as a variable; empty where there is none.
std::string KeyFor(const Variable& variable) {
  for (const auto& key : CommKeys())
    if (VariableOf(key.leaf()) == variable.name) return std::string(key.name);
  return variable.name == "GRADWIRE_SEED" ? "run.seed" : "";
}

/// The variable whose name behind the prefix is nearest, in capitals or not.
std::string NearestVariable(const std::string& name) {
  std::vector<std::string_view> leaves;
  for (const Variable& variable : Variables()) leaves.push_back(std::string_view(variable.name).substr(kPrefix.size()));
  const std::string upper = VariableOf(name.substr(kPrefix.size()));
  const std::string_view nearest = Nearest(std::string_view(upper).substr(kPrefix.size()), leaves);
  return nearest.empty() ? "" : VariableOf(nearest);
}

std::string Unread(const std::string& name) {
  if (name == "GRADWIRE_BUCKET_CAP_MB")
    return "environment: GRADWIRE_BUCKET_CAP_MB is no setting: the buckets are DDP's; expected bucket_cap_mb as an "
           "argument of DistributedDataParallel";
  std::vector<std::string_view> names;
  for (const Variable& variable : Variables()) names.push_back(variable.name);
  const std::string nearest = NearestVariable(name);
  return fmt::format("environment: {} is no setting{}; expected one of {}; unset it", name,
                     nearest.empty() ? "" : fmt::format(", did you mean {}?", nearest), fmt::join(names, ", "));
}

}  // namespace

const std::vector<Variable>& Variables() {
  static const std::vector<Variable> variables = MakeVariables();
  return variables;
}

void CheckVariables(const std::vector<std::string>& names, Reader reader) {
  for (const std::string& name : names) {
    if (!name.starts_with(kPrefix)) continue;
    const auto found = std::ranges::find(Variables(), name, &Variable::name);
    if (found == Variables().end()) throw ConfigError(Unread(name));
    if (name == "GRADWIRE_FORCE_ISA") kernels::FromEnvironment();  // throws, before any setting is to blame
    if (!found->is_setting || reader == Reader::kBackend) continue;
    const std::string key = KeyFor(*found);
    throw ConfigError(fmt::format(
        "environment: {} is a setting of the Python backend, which the program does not read; expected {} in the file "
        "or on the command line; unset it",
        name, key.empty() ? "the section comm" : key));
  }
}

std::vector<std::string> VariablesSet() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    names.emplace_back(text.substr(0, text.find('=')));
  }
  return names;
}

}  // namespace gradwire
