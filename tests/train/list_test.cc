// SPDX-License-Identifier: Apache-2.0
#include "train/list.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "estimate/attack.h"
#include "estimate/estimator.h"
#include "gradwire/compressor.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "message/aggregate_rules.h"
#include "newton/newton_method.h"
#include "train/report/terminal.h"

namespace gradwire::train {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// For a regular expression: other than letters, digits and spaces are any one character.
std::string Quoted(std::string_view text) {
  std::string quoted(text);
  for (char& c : quoted)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != ' ') c = '.';
  return quoted;
}

TEST(List, HasEveryRowInItsSection) {
  for (const Method& m : Methods()) EXPECT_THAT(ListText("methods"), HasSubstr("\n  " + std::string(m.name) + " "));
  for (const CompressorInfo& c : Compressors())
    EXPECT_THAT(ListText("operators"),
                testing::ContainsRegex("\n  " + Quoted(c.syntax) + " *\n? +" + Quoted(c.summary)))
        << "a summary stands apart from its name";
  for (const Link& l : Links()) EXPECT_THAT(ListText("links"), HasSubstr("\n  " + std::string(l.name) + " "));
  for (const EstimatorInfo& e : Estimators())
    EXPECT_THAT(ListText("estimators"), HasSubstr("\n  " + std::string(e.name) + " "));
  for (const NewtonMethod& m : NewtonMethods())
    EXPECT_THAT(ListText("newton"), HasSubstr("\n  " + std::string(m.name) + " "));
  for (const AggregateRule& r : AggregateRules())
    EXPECT_THAT(ListText("aggregates"), AllOf(HasSubstr("\n  " + std::string(r.form)), HasSubstr(TextOf(r.promise))));
  for (const Attack& a : Attacks()) EXPECT_THAT(ListText("aggregates"), HasSubstr("\n  " + std::string(a.name) + ":"));
  EXPECT_THAT(ListText("topologies"), AllOf(HasSubstr("allgather"), HasSubstr("sharded"), HasSubstr("allreduce")));
}

TEST(List, NamesAreApartFromWhatIsSaidOfThem) {
  EXPECT_THAT(ListText("operators"), HasSubstr("\n  sign[:exact | :plain]\n                    sign times the mean"));
  EXPECT_THAT(ListText("operators"), HasSubstr("\n  clip:T[:piece]    the whole gradient"));
}

TEST(List, LinesAreBrokenAtSpacesAndOnlyForATerminal) {
  const std::string text = ListText();
  EXPECT_EQ(Wrapped(text, 0, kListIndent), text);
  for (const size_t width : {size_t{80}, size_t{120}}) {
    std::istringstream lines(Wrapped(text, width, kListIndent));
    std::string words;
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), width) << line;
      words += line + " ";
    }
    const auto squeezed = [](std::string all) {
      std::erase(all, ' '), std::erase(all, '\n');
      return all;
    };
    EXPECT_EQ(squeezed(words), squeezed(text));
  }
}

TEST(List, IsAllSectionsWhereNoneIsNamed) {
  for (const char* section : {"methods", "operators", "links", "estimators", "topologies", "newton", "gossip", "inner",
                              "aggregates", "averaging"})
    EXPECT_THAT(ListText(), HasSubstr(ListText(section))) << section;
  EXPECT_THAT(ListText("links"), Not(HasSubstr("Methods")));
}

TEST(List, AMethodShowsItsPartsTheirCostAndWhetherItIsForNetworks) {
  const std::string text = ListText("methods");
  EXPECT_THAT(text, HasSubstr("link ef_in, topk:1% (0.4053 bits"));  // 5.07 bytes for each of 655 elements of 65,536
  EXPECT_THAT(text, HasSubstr(", learner randk:1% (0.3198 bits"));   // 4 bytes
  EXPECT_THAT(text, HasSubstr("link ef, topk:1% (0.4053 bits an element), back ef, topk:1%"));
  EXPECT_THAT(text,
              HasSubstr("estimator lsvrg less the gradient at the solution; not for networks: needs each worker's"));
  EXPECT_THAT(text, HasSubstr("link raw, ssign (1.008 bits an element), of momenta with 0.1 of the gradient"));
  EXPECT_THAT(text, HasSubstr("estimator lsvrg; networks: each mini-batch at an anchor too"));
  EXPECT_THAT(text, HasSubstr("optimizer.lr theory, full: 1/(L + 2 omega Lmax/n)"));
}

TEST(List, AnUnknownSectionIsRefusedWithTheNearest) {
  try {
    ListText("method");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("found 'method', did you mean 'methods'?; expected one of methods, operators"));
  }
}

TEST(List, EveryEstimatorOfTheListCanBeMade) {
  for (const EstimatorInfo& info : Estimators()) {
    EstimatorConfig config;
    config.name = info.name;
    EXPECT_NO_THROW(MakeEstimator(config, std::make_shared<Problem>(LR()), 0, 1)) << info.name;
  }
}

}  // namespace
}  // namespace gradwire::train
