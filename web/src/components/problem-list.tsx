/** Notices of failures nobody was waiting for, above the page's foot until dismissed. */
import { X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { dismissProblem, useProblems } from '../app/problems.ts';
import { IconButton } from './button.tsx';
import { Notice, useErrorText } from './notice.tsx';

export function ProblemList() {
  const { t } = useTranslation();
  const words = useErrorText();
  const problems = useProblems((state) => state.problems);
  return (
    <div
      role="alert"
      className="pointer-events-none fixed inset-x-4 bottom-20 z-30 mx-auto flex max-w-lg flex-col gap-2 sm:bottom-6"
    >
      {problems.map(({ id, code, detail }) => (
        <div key={id} className="pointer-events-auto rounded-control shadow-float">
          <Notice
            tone="danger"
            action={
              <IconButton
                label={t('app.dismiss')}
                icon={X}
                className="-my-2 -me-2"
                onClick={() => dismissProblem(id)}
              />
            }
          >
            {words(code, detail)}
          </Notice>
        </div>
      ))}
    </div>
  );
}
