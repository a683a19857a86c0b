// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "train/config/config.h"
#include "train/config/config_keys.h"

namespace gradwire::train {
namespace {

constexpr std::string_view kReadmeHead = R"(# Configuration keys

Printed from the tables in `train/config/config_keys.cc` and `src/config/comm_keys.cc` by `build/gradwire keys > configs/README.md`; a test compares.

A configuration is a YAML file: a map of sections, each a map of keys. What a file leaves out keeps its default. Words
of the command line come last and win:

    build/gradwire train configs/quickstart.yaml --nproc 4 optimizer.lr=0.05 comm.compressor=topk:1%

An unknown key, a wrong type and a value out of range are errors (exit code 2) that name the file and line, or the word.
`--print-config` prints all settings as YAML, which can be used as a file again, and starts nothing.
)";

}  // namespace

std::string ToYaml(const Config& config) {
  std::string yaml;
  std::string_view section;
  for (const Key& key : Keys()) {
    if (section != key.section()) yaml += fmt::format("{}:\n", section = key.section());
    yaml += fmt::format("  {}: {}\n", key.leaf(), key.print(config));
  }
  return yaml;
}

std::string KeysHelp() {
  std::string help = "Keys: in the file as a map of sections, here as section.key=value (shown with the default):\n";
  for (const Key& key : Keys())
    help += fmt::format("  {}={}\n      {}{}{}: {}\n", key.name, key.default_text, key.type,
                        key.range.empty() ? "" : ", ", key.range, key.meaning);
  return help;
}

std::string KeysMarkdown() {
  std::string markdown(kReadmeHead);
  std::string_view section;
  for (const Key& key : Keys()) {
    if (section != key.section())
      markdown += fmt::format("\n## {}\n\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n",
                              section = key.section());
    markdown +=
        fmt::format("| `{}` | {} | `{}` | {} | {} |\n", key.leaf(), key.type, key.default_text, key.range, key.meaning);
  }
  return markdown;
}

}  // namespace gradwire::train
