// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "gradwire/prox.h"
#include "problem/finite_sum.h"
#include "problem/libsvm.h"
#include "problem/loss.h"

namespace gradwire {

/// A minimiser x* and the value there. Where there are many, they are x* and any sum of these directions.
struct Minimiser {
  std::vector<double> x;
  double value = 0;
  std::vector<std::vector<double>> flat = {};  ///< orthonormal, d each
};

/// min over R^d of f(x) = (1/n) sum_i f_i(x), the plain mean over the workers: where the workers hold different numbers
/// of samples, f is not the mean over the samples. All of this is known to every worker, so that theory's step sizes
/// and the distance to the solution can be told; only `start` and the own share are part of a method.
struct Problem {
  std::vector<std::shared_ptr<const FiniteSum>> workers;
  std::vector<double> start;              ///< x^0
  double smoothness = 0;                  ///< L of f
  std::vector<double> worker_smoothness;  ///< L_i of f_i
  double max_sample_smoothness = 0;       ///< the largest L_il
  double strong_convexity = 0;            ///< mu of f; 0 where f need not be convex
  double min_worker_convexity = 0;        ///< the smallest mu_i of f_i; 0 where f_i need not be convex
  std::optional<Minimiser> minimiser;     ///< empty where it is not known, as of most that are not convex

  size_t dimension() const { return start.size(); }
  double max_worker_smoothness() const;                           ///< the largest L_i
  double Value(std::span<const double> x) const;                  ///< f(x)
  std::vector<double> Gradient(std::span<const double> x) const;  ///< grad f(x)
  double Distance(std::span<const double> x) const;  ///< to the nearest minimiser; throws Error where none is known
};

/// zeta*^2 = (1/n) sum_i ||grad f_i(x*)||^2: how much the workers disagree at the solution.
double Heterogeneity(const Problem& problem);

/// The minimiser of f + R. Newton's method, damped by the gradient's norm, without a prox; Nesterov's constant-momentum
/// proximal gradient with one. Throws Error where it does not get there, which for convex f means that there is none.
Minimiser Minimise(const Problem& problem, const Prox& prox = {});

/// Q3 (Beznosikov et al., "On biased compression for distributed learning", JMLR 2023, example 1): n = d = 3, m = 1,
/// f_i(x) = <v_i, x>^2 + ||x||^2 / 4; x* = 0, mu = 7/6, L = 103/6, L_i = 34.5, x^0 = (1, 1, 1).
Problem Q3();

/// QH: n = 10 heterogeneous quadratics in R^20 with m = 8 samples each that differ in the linear term; x^0 = 0,
/// L = 6.447368421052632, mu = 4.552631578947368, max L_i = 10, zeta*^2 = 969.3836658457451.
Problem QH();

/// QK, one badly conditioned worker among nine good ones: QH with a_ij = 1 + (K_i - 1) ((7j + 3i) mod 20) / 19, K_0 =
/// 1000 and K_i = 5 (for GradSkip, Maranjyan et al. 2022, arXiv 2210.16402).
Problem QK();

/// The example of EControl's appendix C (Gao, Islamov & Stich, ICLR 2024, arXiv 2311.05645), on which error feedback
/// with Top-1 does not converge: n = 2, d = 3, f_i(x) = <c_i, x> + ||x||^2 / 2, c = (1, 1, 5), (1, 5, 1); x* = -(1, 3,
/// 3), L = mu = 1, x^0 = 0.
Problem TwoTilts();

/// What is added to the mean of the losses. kRidge: (lambda / 2) ||x||^2. kNonConvex: lambda sum_j x_j^2 / (1 + x_j^2),
/// bounded and smooth with 2 lambda (as in the experiments of EF21, Richtarik et al. 2021, arXiv 2106.05203).
enum class Regulariser { kRidge, kNonConvex };

/// A linear model, f_il(x) = l(<a_l, x>, y_l) + R(x), x^0 = 0. Worker i gets the i-th of n contiguous blocks in the
/// order of the file, as the papers deal them; blocks differ by at most one sample (the first ones are the longer), and
/// every sample is used. L_i is the largest eigenvalue of most_bend times the mean of a a^T, which is at most the
/// most_bend max ||a||^2 of MARINA's experiments. lambda 0 is none; of losses that need a ridge it stands for L / 10000
/// with the L of the losses alone, as in EF's experiments (Gorbunov et al. 2020, arXiv 2010.12292). Throws ConfigError
/// where there are fewer samples than workers, more than 2000 columns (the constants need a dense eigensolver), targets
/// that are no classes where the loss has some, or a convex sum whose minimiser is not one point.
Problem LinearProblem(const std::shared_ptr<const LabelledRows>& rows, size_t workers, const Loss& loss, double lambda,
                      Regulariser regulariser = Regulariser::kRidge);
/// That of the logistic loss.
Problem LogisticRegression(const std::shared_ptr<const LabelledRows>& rows, size_t workers, double lambda,
                           Regulariser regulariser);

/// LR: ridge-regularised logistic regression (lambda = 0.1) on 100 deterministic samples in R^10, dealt to n = 5
/// workers of m = 20; L = 0.26326507044140746, f* = 0.688069580986173. LR2: features times 3, lambda = 0.01,
/// worse conditioned; f* = 0.6832851782580623. `workers` = 1 is the same f on a single node.
Problem LR(size_t workers = 5);
Problem LR2(size_t workers = 5);
/// The samples of LR with features times `scale`, and feature j times `falloff`^j.
std::shared_ptr<const LabelledRows> LRSamples(double scale = 1, double falloff = 1);
/// Those of LR3: LR2 with the matrix of each of the 5 workers replaced by its best approximation of rank 3, so that
/// their Hessians lie in few dimensions (for Basis Learn, Qian et al., AISTATS 2022, arXiv 2111.01847); lambda = 0.01.
std::shared_ptr<const LabelledRows> LR3Samples();

/// The softmax problem, on which papers run Newton methods (as Islamov et al., "Distributed Newton-type methods with
/// communication compression and Bernoulli aggregation", TMLR 2023, arXiv 2206.03588):
///   f_i(x) = sigma log sum_l exp((<a_l, x> - b_l) / sigma) - <g_i, x> + (lambda / 2) ||x||^2
/// over the worker's rows, dealt as those of LinearProblem, b_l its targets. g_i, the gradient of the first term at 0,
/// makes x* = 0 the minimiser of every f_i, as moving all a_l by -g_i does. L_i = max ||a_l - g_i||^2 / sigma + lambda,
/// mu = mu_i = lambda; x^0 has equal elements and length 1. A worker's rows are one sample: m = 1. Throws ConfigError
/// as LinearProblem does, and without a ridge.
Problem SoftmaxProblem(const std::shared_ptr<const LabelledRows>& rows, size_t workers, double sigma, double lambda);

/// Samples of a linear regression with a random solution, as in DORE's experiments (Liu et al., AISTATS 2020, arXiv
/// 1910.07561: 1200 x 500, 20 workers): a_lj and the solution's entries are standard normal over sqrt(columns), y = <a,
/// solution> + noise z, z standard normal. The same numbers on every machine but for rounding.
std::shared_ptr<const LabelledRows> GaussianSamples(size_t samples = 1200, size_t columns = 500, double noise = 0.1);

/// Example 1 of the alpha-beta condition (Islamov, Ajroldi, Orvieto & Lucchi, NeurIPS 2024): with s = x_1 + x_2, the
/// two functions f_1 = s^2 / (1 + s^2) and f_2 = f_1(s + 1), of one worker or of two. Not convex; the minimisers are
/// the line s = -1/2, f* = 1/5; x^0 = (1, 1).
Problem AlphaBeta(size_t workers = 2);

}  // namespace gradwire
