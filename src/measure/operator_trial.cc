// SPDX-License-Identifier: Apache-2.0
#include "measure/operator_trial.h"

namespace gradwire {

OperatorTrial::OperatorTrial(const std::string& spec, size_t numel, size_t workers)
    : compressor_(ParseCompressor(spec)), messages_(workers) {
  const bool cut = compressor_->scope() == Scope::kPiece;
  const size_t count = cut ? PieceCount(numel, PieceRule::kFixed) : 1;
  size_t lines = 0;
  for (size_t i = 0; i < count; ++i) {
    const Piece piece = cut ? PieceAt(numel, PieceRule::kFixed, i) : Piece::Whole(numel);
    sites_.push_back({.seed = 1, .piece = piece});
    places_.push_back(lines);
    lines += (compressor_->Bytes(piece, Dtype::kF32) + sizeof(Line) - 1) / sizeof(Line);
  }
  for (Message& message : messages_) message.memory.resize(lines), message.bytes.resize(count);
}

void OperatorTrial::Encode(size_t worker, std::span<const float> v) { EncodeTo(worker, v, {}); }

void OperatorTrial::EncodeWithFeedback(size_t worker, std::span<const float> v, std::span<float> residual) {
  EncodeTo(worker, v, residual);
}

void OperatorTrial::EncodeTo(size_t worker, std::span<const float> v, std::span<float> residual) {
  Message& message = messages_[worker];
  const auto memory = std::as_writable_bytes(std::span(message.memory));
  for (size_t i = 0; i < sites_.size(); ++i) {
    Site& site = sites_[i];
    site.step = step_, site.worker = static_cast<uint32_t>(worker);
    const auto of_piece = [&](auto vector) {
      return vector.empty() ? vector : vector.subspan(site.piece.begin, site.piece.numel);
    };
    const std::span<float> rest = of_piece(residual);
    message.bytes[i] =
        compressor_
            ->Encode(site, *lane_, of_piece(v), 1.0f, rest, rest,
                     memory.subspan(places_[i] * sizeof(Line), compressor_->Bytes(site.piece, Dtype::kF32)))
            .bytes;
  }
}

void OperatorTrial::Decode(size_t count, std::span<float> out) {
  weights_.assign(count, 1.0f / static_cast<float>(count));
  payloads_.resize(count);
  for (size_t i = 0; i < sites_.size(); ++i) {
    for (size_t worker = 0; worker < count; ++worker) payloads_[worker] = PieceOf(worker, i);
    const Piece& piece = sites_[i].piece;
    sites_[i].step = step_;
    compressor_->Decode(sites_[i], *lane_, payloads_, weights_, Into::kStream, out.subspan(piece.begin, piece.numel));
  }
}

Payload OperatorTrial::PieceOf(size_t worker, size_t piece) const {
  const auto memory = std::as_bytes(std::span(messages_[worker].memory));
  return {memory.subspan(places_[piece] * sizeof(Line), messages_[worker].bytes[piece]), static_cast<uint32_t>(worker)};
}

std::vector<std::byte> OperatorTrial::PayloadOf(size_t worker) const {
  std::vector<std::byte> payload;
  for (size_t i = 0; i < sites_.size(); ++i) {
    const std::span<const std::byte> bytes = PieceOf(worker, i).bytes;
    payload.insert(payload.end(), bytes.begin(), bytes.end());
  }
  return payload;
}

size_t OperatorTrial::PayloadBytes(size_t worker) const {
  size_t bytes = 0;
  for (const size_t of_piece : messages_[worker].bytes) bytes += of_piece;
  return bytes;
}

}  // namespace gradwire
