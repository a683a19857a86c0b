// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/error.h"
#include "gradwire/piece.h"

namespace gradwire {

/// "5000" elements, "1%" of a parameter's elements, or "8d": eight times the order d of a symmetric matrix, in which
/// papers on second-order methods count; of a matrix with another shape d is its rows, of a vector its elements.
class Amount {
 public:
  static Amount Count(size_t count) { return Amount(count, 0, 0); }
  static Amount Percent(double percent) { return Amount(0, percent, 0); }
  static Amount Orders(double orders) { return Amount(0, 0, orders); }

  /// Elements of the parameter that this is a piece of, rounded to nearest; at least 1 and at most all.
  size_t Of(const Piece& piece) const;
  /// Whether it counts in a matrix's order.
  bool is_of_order() const { return orders_ > 0; }
  /// As it was written, in its shortest form.
  std::string text() const;

 private:
  Amount(size_t count, double percent, double orders) : count_(count), percent_(percent), orders_(orders) {}
  size_t count_;
  double percent_, orders_;  // 0, but the one that holds
};

/// A number that is all of the text, finite; empty otherwise.
std::optional<double> ReadNumber(std::string_view text);
std::optional<size_t> ReadCount(std::string_view text);

/// "1%:common" at ':' -> {"1%", "common"}; an empty text is one empty part.
std::vector<std::string_view> Split(std::string_view text, char at);

/// "compressor 'op:argument': expected ...".
ConfigError BadArgument(std::string_view op, std::string_view argument, std::string_view expected);

/// Reads the part `amount` of the argument of an operator that keeps some elements. Throws ConfigError.
Amount ParseAmount(std::string_view op, std::string_view amount, std::string_view argument);

/// Throws ConfigError unless the argument is empty.
void RefuseArgument(std::string_view op, std::string_view argument);

/// What a spec may be. An operator within another one encodes in scratch memory of its own, and has random bits of its
/// own down to a depth of 31 (SiteOfPart).
constexpr size_t kMaxSpecBytes = 1000;
constexpr int kMaxSpecDepth = 16;  ///< parentheses within each other

/// Throws ConfigError where a spec is more than that.
void CheckSize(std::string_view spec);

/// The candidate with the smallest edit distance to `word`; empty where none is near.
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace gradwire
