// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace gradwire {

// Text that comes from outside: files, words of the command line.

/// A message as a terminal can show it: control characters other than a line's end and a tab, bytes that are not UTF-8,
/// and characters that cannot be seen become \xNN or \u{NNNN}.
std::string Printable(std::string_view message);

/// One value within a message: the same, on one line, and cut after `most` bytes.
std::string Shown(std::string_view value, size_t most = 80);

/// Where the first byte is that no text has: a control character or no UTF-8; npos where there is none.
size_t FindNoText(std::string_view text);

/// The command that unpacks a file that begins so (gunzip, bunzip2, ...); empty where it is not packed.
std::string_view UnpackerOf(std::string_view begin);

/// The text behind the byte order mark that some editors put in front of UTF-8.
std::string_view BehindMark(std::string_view text);

/// Reads up to the end of the line, which is not kept; false at the end. Stops after `most` + 1 bytes: a longer line
/// shows as line.size() > most.
bool ReadLine(std::istream& in, std::string& line, size_t most);

/// Behind the place of a message: ", channel 3", and nothing for gradients, which are channel 0.
std::string InChannel(uint32_t channel);

}  // namespace gradwire
