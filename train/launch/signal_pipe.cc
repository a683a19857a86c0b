// SPDX-License-Identifier: Apache-2.0
#include "train/launch/signal_pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

std::atomic<int> write_fd = -1;  // the handler has no other way to find the pipe

void WriteEvent(int signal, siginfo_t* info, void*) {
  const int error = errno;
  const SignalPipe::Event event{signal, info->si_code == SI_KERNEL};
  // A full pipe already holds thousands of events that wake the reader.
  [[maybe_unused]] const ssize_t written = write(write_fd, &event, sizeof event);
  errno = error;
}

/// Rounded up, so that a deadline has passed when poll says so; -1 for none.
int MillisecondsUntil(std::optional<SignalPipe::Clock::time_point> deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - SignalPipe::Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
}

}  // namespace

SignalPipe::SignalPipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
    throw Error(std::string("cannot make a pipe for signals: ") + std::strerror(errno));
  read_fd_ = fds[0];
  write_fd = fds[1];
  struct sigaction action {};
  action.sa_sigaction = WriteEvent;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN || kSignals[i] == SIGCHLD) sigaction(kSignals[i], &action, nullptr);
  }
}

SignalPipe::~SignalPipe() {
  Restore();
  close(write_fd.exchange(-1));
  close(read_fd_);
}

void SignalPipe::Restore() const {
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

std::optional<SignalPipe::Event> SignalPipe::Wait(std::optional<Clock::time_point> deadline) {
  for (;;) {
    Event event;
    if (read(read_fd_, &event, sizeof event) == sizeof event) return event;
    pollfd readable{read_fd_, POLLIN, 0};
    if (poll(&readable, 1, MillisecondsUntil(deadline)) == 0) return std::nullopt;
  }
}

}  // namespace gradwire::train
