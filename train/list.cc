// SPDX-License-Identifier: Apache-2.0
#include "train/list.h"

#include <fmt/format.h>

#include "gradwire/compressor.h"
#include "gradwire/link.h"
#include "gradwire/method.h"

namespace gradwire::train {
namespace {

constexpr const char* kRow = "  {:<18}{}  [{}]\n";

/// Constants for one full piece, and its bytes.
std::string Facts(const Compressor& compressor) {
  const Piece piece = Piece::Whole(kPieceNumel);
  const double bits =
      8.0 * static_cast<double>(compressor.Bytes(piece, Dtype::kF32)) / static_cast<double>(piece.numel);
  std::string text = fmt::format("{}, {}{:.4g} bits an element", compressor.unbiased() ? "unbiased" : "biased",
                                 compressor.variable() ? "at most " : "", bits);
  if (const auto omega = compressor.omega(piece)) text += fmt::format(", omega {:.4g}", *omega);
  if (const auto delta = compressor.delta(piece)) text += fmt::format(", delta {:.4g}", *delta);
  if (compressor.scope() == Scope::kModel) text += ", of the whole model";
  return text + (compressor.linear() ? ", linear" : "");
}

}  // namespace

std::string ListText() {
  std::string text = "Methods (comm.method)\n";
  for (const Method& method : Methods())
    text += fmt::format(kRow, method.name, fmt::format("{}; link {}", method.summary, method.link), method.source);
  text += "\nCompressors (comm.compressor); facts for a piece of 65,536 floats\n";
  for (const CompressorInfo& info : Compressors()) {
    text += fmt::format(kRow, info.syntax, info.summary, info.source.empty() ? "-" : info.source);
    text += fmt::format("  {:<18}{}: {}\n", "", info.examples[0], Facts(*ParseCompressor(info.examples[0])));
  }
  text += "\nLinks\n";
  for (const Link& link : Links()) text += fmt::format(kRow, link.name, link.summary, link.source);
  text += "\nTopologies (comm.topology)\n";
  text += "  allgather         every rank sends its message to every other one and averages all\n";
  text += "  allreduce         dense or linear messages, summed on the way\n";
  return text;
}

}  // namespace gradwire::train
