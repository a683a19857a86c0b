// SPDX-License-Identifier: Apache-2.0
#include "method/cost_model.h"

#include <algorithm>

#include <fmt/format.h>

namespace gradwire {
namespace {

constexpr double kMargin = 1.1;  // what measurements of a second or two are wrong by

/// Messages go to all ranks: of those of r ranks on a host, (n-r)/(n-1) leave it, by one link. Of a ring's neighbours
/// one alone is on another host.
double Sharing(const CostQuestion& question) {
  const double n = question.ranks, r = std::max(question.ranks_per_host, 1);
  return n <= r || n < 2 ? 1 : std::max(r * (n - r) / (n - 1), 1.0);
}

double Exposed(double bytes, double bytes_per_s, double latency_s, double backward_s) {
  return latency_s + std::max(bytes / std::max(bytes_per_s, 1.0) - backward_s, 0.0);
}

/// With each cost multiplied by `factor`.
double Compressed(const CostQuestion& question, double factor) {
  const LinkCosts& link = question.link;
  const double bytes = factor * static_cast<double>(question.compressed_bytes);
  const double wire_s = question.is_summed
                            ? Exposed(bytes, link.sum_bytes_per_s, link.sum_latency_s, question.backward_s)
                            : Exposed(bytes * Sharing(question), link.bytes_per_s, link.latency_s, question.backward_s);
  return factor * kWorkInExchange * (question.encode_s + question.decode_s) + wire_s;
}

std::string RateText(double bytes_per_s) {
  return bytes_per_s >= 1e9 ? fmt::format("{:.1f} GB/s", bytes_per_s / 1e9)
                            : fmt::format("{:.3g} MB/s", bytes_per_s / 1e6);
}

std::string ReasonFor(const CostQuestion& question, const CostAnswer& answer) {
  const LinkCosts& link = question.link;
  const double compressed = static_cast<double>(question.compressed_bytes) / 1e6;
  return fmt::format(
      "an exchange of dense gradients costs {} ({:.3g} MB at {}), a compressed one {} (encoding {}, decoding {}, "
      "{:.3g} "
      "MB at {}, {} for the way){}: {}",
      TimeText(answer.dense_s), static_cast<double>(question.dense_bytes) / 1e6, RateText(link.sum_bytes_per_s),
      TimeText(answer.compressed_s), TimeText(question.encode_s), TimeText(question.decode_s), compressed,
      RateText(question.is_summed ? link.sum_bytes_per_s : link.bytes_per_s),
      TimeText(question.is_summed ? link.sum_latency_s : link.latency_s),
      question.backward_s > 0 ? fmt::format(", beside a backward pass of {}", TimeText(question.backward_s)) : "",
      answer.pays                            ? "compression pays"
      : answer.compressed_s < answer.dense_s ? "too little to be sure of"
                                             : "dense is faster");
}

}  // namespace

CostAnswer Judge(const CostQuestion& question) {
  const LinkCosts& link = question.link;
  CostAnswer answer;
  answer.dense_s =
      Exposed(static_cast<double>(question.dense_bytes), link.sum_bytes_per_s, link.sum_latency_s, question.backward_s);
  answer.compressed_s = Compressed(question, 1);
  answer.work_s = kWorkInExchange * (question.encode_s + question.decode_s);
  answer.pays = question.ranks > 1 && question.compressed_bytes < question.dense_bytes &&
                Compressed(question, kMargin) < answer.dense_s;
  answer.reason = ReasonFor(question, answer);
  return answer;
}

std::string TimeText(double seconds) {
  return seconds >= 1      ? fmt::format("{:.3g} s", seconds)
         : seconds >= 1e-3 ? fmt::format("{:.3g} ms", 1e3 * seconds)
                           : fmt::format("{:.3g} us", 1e6 * seconds);
}

}  // namespace gradwire
