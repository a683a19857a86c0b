// SPDX-License-Identifier: Apache-2.0
// What operators cost on one core: encoding a gradient as error feedback does, and decoding two payloads to their mean.
// Each one's result is checked first; times are medians, also as multiples of a copy of the same gradient in the same
// run. Encoding reads two vectors and writes one beside the payload; decoding writes one: of a perfect operator that
// takes what the memory's speed allows, the multiples are 1.5 and 0.5.
//   operators_bench [SPEC...]
//   operators_bench --kernels [NAME...]   by kernel and instruction set: tests/bench/kernels_bench.h
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/philox.h"
#include "bench/kernels_bench.h"
#include "gradwire/compressor.h"
#include "gradwire/piece.h"

namespace gradwire {
namespace {

constexpr size_t kNumel = 11'173'962;  // ResNet-18's
constexpr int kRounds = 11;

double Median(const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int round = 0; round <= kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  seconds.erase(seconds.begin());  // it made pages and caches
  std::ranges::nth_element(seconds, seconds.begin() + kRounds / 2);
  return seconds[kRounds / 2];
}

std::vector<float> Gradient() {
  std::vector<float> v(kNumel);
  Philox random(1, Purpose::kSynthetic, 0, 0);
  for (float& value : v) value = static_cast<float>((random.Uniform() + random.Uniform() - 1) * 1e-3);
  return v;
}

template <typename Vector>
auto Part(Vector& vector, const Piece& piece) {
  return std::span(vector).subspan(piece.begin, piece.numel);
}

/// A gradient in pieces, as one parameter, which two workers encode alike.
class Trial {
 public:
  Trial(const std::string& spec, const std::vector<float>& v)
      : compressor_(ParseCompressor(spec)), v_(v), residual_in_(kNumel, 1e-5f), residual_out_(kNumel), out_(kNumel) {
    const size_t count = PieceCount(kNumel, PieceRule::kFixed);
    for (size_t i = 0; i < count; ++i) {
      Site& site = sites_.emplace_back();
      site.piece = PieceAt(kNumel, PieceRule::kFixed, i);
      messages_.emplace_back((compressor_->Bytes(site.piece, Dtype::kF32) + sizeof(Line) - 1) / sizeof(Line));
    }
    bytes_.resize(count);
  }

  void Encode() {
    for (size_t i = 0; i < sites_.size(); ++i) {
      const Piece& piece = sites_[i].piece;
      const auto memory = std::as_writable_bytes(std::span(messages_[i]));
      bytes_[i] = compressor_->Encode(sites_[i], lane_, Part(v_, piece), 1.0f, Part(residual_in_, piece),
                                      Part(residual_out_, piece), memory.first(compressor_->Bytes(piece, Dtype::kF32)));
    }
  }

  /// The mean of both workers' payloads.
  void Decode() {
    const std::vector<float> weights = {0.5f, 0.5f};
    for (size_t i = 0; i < sites_.size(); ++i) {
      const Payload payload{std::as_bytes(std::span(messages_[i])).first(bytes_[i]), 0};
      const std::vector<Payload> both = {payload, payload};
      compressor_->Decode(sites_[i], lane_, both, weights, false, Part(out_, sites_[i].piece));
    }
  }

  /// Empty, or what is wrong: what is left out must be u - C(u), and no larger than the operator says.
  std::string Wrong() {
    Encode();
    Decode();
    double error = 0, norm = 0;
    for (size_t i = 0; i < kNumel; ++i) {
      const double u = v_[i] + residual_in_[i], left_out = u - out_[i];
      if (std::abs(residual_out_[i] - left_out) > 1e-6 * (std::abs(u) + std::abs(left_out)))
        return fmt::format("element {}: {} is left out and {} kept", i, left_out, residual_out_[i]);
      error += left_out * left_out, norm += u * u;
    }
    const Piece& piece = sites_[0].piece;
    const auto delta = compressor_->delta(piece), omega = compressor_->omega(piece);
    const double bound = delta ? 1 - *delta : omega.value_or(1);
    return error <= 1.05 * bound * norm ? "" : fmt::format("||C(u) - u||^2 = {:.3g} ||u||^2", error / norm);
  }

  double Bytes() const { return std::accumulate(bytes_.begin(), bytes_.end(), 0.0); }

 private:
  struct alignas(16) Line {
    std::byte bytes[16];
  };

  std::shared_ptr<const Compressor> compressor_;
  const std::vector<float>& v_;
  std::vector<float> residual_in_, residual_out_, out_;
  std::vector<Site> sites_;
  std::vector<std::vector<Line>> messages_;
  std::vector<size_t> bytes_;
  Lane lane_;
};

int Run(std::vector<std::string> specs) {
  if (specs.empty()) specs = {"identity", "fp16", "bf16", "sign", "topk:1%", "randk:1%", "qsgd:7", "natural"};
  const std::vector<float> v = Gradient();
  std::vector<float> copy(kNumel);
  const double copied = Median([&] { std::memcpy(copy.data(), v.data(), 4 * kNumel); });
  const double gb_s = 8e-9 * kNumel / copied;
  fmt::print("{} float32; a copy of them: {:.2f} ms, {:.1f} GB/s read and written\n", kNumel, 1e3 * copied, gb_s);
  fmt::print("{:<12}{:>10}{:>12}{:>12}{:>14}{:>14}\n", "operator", "MB", "encode ms", "decode ms", "encode/copy",
             "decode/copy");
  for (const std::string& spec : specs) {
    Trial trial(spec, v);
    if (const std::string wrong = trial.Wrong(); !wrong.empty()) {
      fmt::print("{}: WRONG: {}\n", spec, wrong);
      return 1;
    }
    const double encode = Median([&] { trial.Encode(); }), decode = Median([&] { trial.Decode(); });
    fmt::print("{:<12}{:>10.2f}{:>12.2f}{:>12.2f}{:>14.2f}{:>14.2f}\n", spec, 1e-6 * trial.Bytes(), 1e3 * encode,
               1e3 * decode, encode / copied, decode / copied);
  }
  return 0;
}

}  // namespace
}  // namespace gradwire

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words[0] != "--kernels") return gradwire::Run(std::move(words));
  words.erase(words.begin());
  const int wrong = gradwire::RunKernels<float>(words);
  return wrong ? wrong : gradwire::RunKernels<double>(words);
}
