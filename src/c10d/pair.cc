// SPDX-License-Identifier: Apache-2.0
#include "c10d/pair.h"

#include <ATen/ops/from_blob.h>

#include "c10d/gloo_factory.h"
#include "c10d/torch_error.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr int kTag = 0;

Membership OfTwo(Membership member, Pair::End end) {
  member.rank = end == Pair::End::kFirst ? 0 : 1;
  member.size = 2;
  return member;
}

}  // namespace

Pair::Pair(const Membership& member, const std::string& prefix, End end, std::string peer)
    : timeout_(member.timeout), other_(end == End::kFirst ? 1 : 0), peer_(std::move(peer)) {
  try {
    backend_ = ConnectGloo(OfTwo(member, end), prefix);
  } catch (const std::exception& error) {
    throw Error(peer_ + " cannot be reached (" + FirstLine(error) + ")");
  }
}

/// Gloo's own timeout closes the connection, so that a wait cannot be taken up again after it.
void Pair::Transfer(std::span<std::byte> bytes, bool sends) {
  const auto begin = std::chrono::steady_clock::now();
  try {
    std::vector<at::Tensor> tensors{at::from_blob(bytes.data(), {static_cast<int64_t>(bytes.size())}, at::kByte)};
    (sends ? backend_->send(tensors, other_, kTag) : backend_->recv(tensors, other_, kTag))->wait(timeout_);
  } catch (const std::exception& error) {
    const bool late = std::chrono::steady_clock::now() - begin >= timeout_;
    const std::string what = late ? (sends ? " took no message" : " sent nothing") + std::string(" for ") +
                                        std::to_string(timeout_.count()) + " ms"
                                  : " is gone";
    throw Error(peer_ + what + " (" + FirstLine(error) + ")");
  }
}

void Pair::Send(std::span<const std::byte> message) {
  uint64_t size = message.size();
  Transfer(std::as_writable_bytes(std::span(&size, 1)), true);
  if (size > 0) Transfer({const_cast<std::byte*>(message.data()), message.size()}, true);
}

std::vector<std::byte> Pair::Receive(size_t most) {
  uint64_t size = 0;
  Transfer(std::as_writable_bytes(std::span(&size, 1)), false);
  if (size > most)
    throw Error(peer_ + " announces a message of " + std::to_string(size) + " bytes, expected at most " +
                std::to_string(most) + ": does it run the same version of gradwire?");
  std::vector<std::byte> message(size);
  if (size > 0) Transfer(message, false);
  return message;
}

}  // namespace gradwire
