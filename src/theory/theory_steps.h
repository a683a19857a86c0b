// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gradwire/error.h"
#include "theory/theory.h"

namespace gradwire {

// The formulas of the rows of Theories(), each with its theorem. They throw Refusals.

/// "optimizer.lr: theory: REASON; give optimizer.lr a number".
ConfigError TheoryRefusal(std::string_view reason);

double GradientDescentStep(const TheoryConstants& c);
double UnifiedStep(const TheoryConstants& c);
double DcgdStep(const TheoryConstants& c);
double QsgdStep(const TheoryConstants& c);
double ErrorFeedbackStep(const TheoryConstants& c);
double Ef21Step(const TheoryConstants& c);
double EControlStep(const TheoryConstants& c);
void SetEControl(const TheoryConstants& c, const CommConfig& comm, ExchangeParts& parts);
double DianaStep(const TheoryConstants& c);
double DcgdPlusStep(const TheoryConstants& c);
double DianaPlusStep(const TheoryConstants& c);
double VrDianaStep(const TheoryConstants& c);
void SetVrDiana(const TheoryConstants& c, const CommConfig& comm, ExchangeParts& parts);
double MarinaStep(const TheoryConstants& c);
double DoreStep(const TheoryConstants& c);
void SetDore(const TheoryConstants& c, const CommConfig& comm, ExchangeParts& parts);

}  // namespace gradwire
