// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <istream>

namespace gradwire {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: no UTF-8
};

/// The first character (RFC 3629): neither longer than need be, nor half of a surrogate pair.
Character FirstOf(std::string_view text) {
  constexpr std::array<uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xf0 && first < 0xf8 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
  if (bytes == 0 || first >= 0xf8 || text.size() < bytes) return {};
  uint32_t code = first & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0u) != 0x80) return {};
    code = code << 6 | (next & 0x3fu);
  }
  if (code < kLeast[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {code, bytes};
}

/// Spaces that are none to a parser, marks without width, and what turns the direction of writing.
bool IsUnseen(uint32_t code) {
  return (code >= 0x7f && code <= 0xa0) || (code >= 0x2000 && code <= 0x200f) || (code >= 0x2028 && code <= 0x202f) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0x3000 || code == 0xfeff;
}

template <typename... Values>
std::string Format(const char* format, Values... values) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

/// `keeps`: control characters that stay.
std::string Escaped(std::string_view text, std::string_view keeps) {
  std::string shown;
  while (!text.empty()) {
    const Character next = FirstOf(text);
    const size_t bytes = next.bytes == 0 ? 1 : next.bytes;
    const bool is_control = next.bytes == 1 && (next.code < 0x20 || next.code == 0x7f);
    if (next.bytes == 0 || (is_control && keeps.find(text[0]) == keeps.npos))
      shown += Format("\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[0])));
    else if (!is_control && IsUnseen(next.code))
      shown += Format("\\u{%04x}", static_cast<unsigned>(next.code));
    else
      shown += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return shown;
}

}  // namespace

std::string Printable(std::string_view message) { return Escaped(message, "\n\t"); }

std::string Shown(std::string_view value, size_t most) {
  if (value.size() <= most) return Escaped(value, "");
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0u) == 0x80) --end;  // not within a character
  return Escaped(value.substr(0, end), "") + "... (" + std::to_string(value.size()) + " bytes)";
}

size_t FindNoText(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Character next = FirstOf(text.substr(at));
    const bool is_control = (next.code < 0x20 && text[at] != '\t' && text[at] != '\n') || next.code == 0x7f;
    if (next.bytes == 0 || is_control) return at;
    at += next.bytes;
  }
  return std::string_view::npos;
}

std::string_view UnpackerOf(std::string_view begin) {
  if (begin.starts_with("\x1f\x8b")) return "gunzip";
  if (begin.starts_with("BZh")) return "bunzip2";
  if (begin.starts_with("\xfd\x37zXZ")) return "unxz";
  if (begin.starts_with("\x28\xb5\x2f\xfd")) return "unzstd";
  return begin.starts_with("PK\x03\x04") ? "unzip" : "";
}

std::string_view BehindMark(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

bool ReadLine(std::istream& in, std::string& line, size_t most) {
  constexpr int kEnd = std::char_traits<char>::eof();
  line.clear();
  std::streambuf& bytes = *in.rdbuf();
  if (bytes.sgetc() == kEnd) return false;
  while (line.size() <= most) {
    const int c = bytes.sbumpc();
    if (c == kEnd || c == '\n') break;
    line += static_cast<char>(c);
  }
  return true;
}

std::string InChannel(uint32_t channel) { return channel == 0 ? "" : ", channel " + std::to_string(channel); }

}  // namespace gradwire
