// SPDX-License-Identifier: Apache-2.0
#include "train/report/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace gradwire::train {

size_t TerminalWidth() {
  winsize window{};
  return isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 ? window.ws_col : 0;
}

std::string Wrapped(std::string_view text, size_t width, size_t hang) {
  if (width == 0) return std::string(text);
  width = std::max<size_t>(width, 60);
  std::string wrapped;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    while (line.size() > width) {
      const size_t indent = std::max(line.find_first_not_of(' '), hang);
      size_t space = line.rfind(' ', width);
      if (space == line.npos || space <= indent) space = line.find(' ', width);  // a long word sticks out
      if (space == line.npos) break;
      wrapped += line.substr(0, line.find_last_not_of(' ', space) + 1) + '\n';
      line = std::string(hang, ' ') + line.substr(space + 1);
    }
    wrapped += line + '\n';
  }
  return wrapped;
}

}  // namespace gradwire::train
