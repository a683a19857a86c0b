// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "train/config/config.h"

namespace gradwire::train {

/// The settings that a resumed run must share with the save, and an asynchronous worker with its server, a line
/// "key: value" each. Those may differ that say how long to train, on how many ranks, what to write and where, and how
/// long to wait: the table in settings.cc has them all, with the reasons.
std::string SettingsText(const Config& config);

/// The settings that the ranks of a run must share, in the same form: all that train together do the same steps.
std::string RankSettingsText(const Config& config);

/// How the saved settings differ from `now`, both by SettingsText: "\n  key: saved with X, this run has Y" each. A key
/// that the save does not know, being older, had its default (comm.when: always). Empty where they agree.
std::string SettingsDifference(const std::string& saved, const std::string& now);

/// The same of two ranks: "\n  key: rank 0 has X, rank 1 has Y".
std::string RankDifference(int rank, const std::string& theirs, int other, const std::string& others);

/// The value of a key in such a text; its default where it is not there.
std::string ValueIn(const std::string& text, const std::string& key);

}  // namespace gradwire::train
